import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { administratorPassword } from './password.js';
import { SessionMiddleware } from './session.middleware.js';
import { Sessions } from './sessions.js';
import { SignInController } from './sign-in.controller.js';
import { SignInFilter } from './sign-in.filter.js';

/** Accounts would be in a database. The sample has one administrator, whose password is in the environment. */
@Module({
  controllers: [SignInController],
  providers: [
    { provide: Sessions, useFactory: () => new Sessions(() => administratorPassword().text) },
    { provide: APP_FILTER, useClass: SignInFilter },
  ],
})
export class AdministratorsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(SessionMiddleware).forRoutes('{*path}');
  }
}
