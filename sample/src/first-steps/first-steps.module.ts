import { Module } from '@nestjs/common';
import { FirstStepsController } from './first-steps.controller.js';
import { FirstSteps } from './first-steps.tasks.js';

@Module({ controllers: [FirstStepsController], providers: [FirstSteps] })
export class FirstStepsModule {}
