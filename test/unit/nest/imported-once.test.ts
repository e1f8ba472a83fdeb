import { expect, it } from '@jest/globals';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { ConfigurationError, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';

const options = { connection: 'memory:' };
const start = (type: Type) => NestFactory.createApplicationContext(type, { logger: false, abortOnError: false });

@Module({ imports: [TaskQueueModule.forRoot(options)] })
class FeatureModule {}

it('forRoot() in two modules is an error that names both and the cure', async () => {
  @Module({ imports: [TaskQueueModule.forRoot(options), FeatureModule] })
  class AppModule {}
  const starting = start(AppModule);
  await expect(starting).rejects.toThrow(ConfigurationError);
  await expect(starting).rejects.toThrow(
    'TaskQueueModule.forRoot() is imported twice, by AppModule and FeatureModule. Tasks that one of them stores would not run in the other. The module is global: import it once, in the root module, and remove the other imports.',
  );
});

it('forRootAsync() beside forRoot() is the same error', async () => {
  const other = TaskQueueModule.forRootAsync({ useFactory: () => options });
  @Module({ imports: [other, FeatureModule] })
  class AppModule {}
  await expect(start(AppModule)).rejects.toThrow('is imported twice');
});

it('forRoot() in a module that is loaded later is the same error', async () => {
  @Module({ imports: [TaskQueueModule.forRoot(options)] })
  class AppModule {}
  const app = await start(AppModule);
  await expect(app.get(LazyModuleLoader).load(() => FeatureModule)).rejects.toThrow('is imported twice');
  await app.close();
});

it.each<[string, () => DynamicModule | Type]>([
  ['the same import in two modules', () => shared],
  ['the bare class beside forRoot()', () => TaskQueueModule],
])('%s is one module', async (_, second) => {
  @Module({ imports: [second()] })
  class Feature {}
  @Module({ imports: [shared, Feature] })
  class AppModule {}
  const app = await start(AppModule);
  expect(app.get(TaskQueue)).toBeInstanceOf(TaskQueue);
  await app.close();
});

it('the bare class without forRoot() is an error', async () => {
  @Module({ imports: [TaskQueueModule] })
  class AppModule {}
  await expect(start(AppModule)).rejects.toThrow(/without its options. Import TaskQueueModule.forRoot\(\) once/);
});

const shared = TaskQueueModule.forRoot(options);
