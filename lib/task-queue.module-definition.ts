import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { TaskQueueOptions } from './task-queue-options.js';

/** The base class of the module, with Nest's `forRoot` and `forRootAsync` for {@link TaskQueueOptions}. */
export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<TaskQueueOptions>()
    .setClassMethodName('forRoot')
    .setExtras<{ queueNames?: readonly string[] }>({}, (definition) => definition)
    .build();
