import {
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { DASHBOARD_OPTIONS, type ResolvedDashboardOptions } from './dashboard-options.js';

/** Runs the guards that the factory of `forRootAsync()` returned. Nest does not know them when it reads the controller. */
@Injectable()
export class FactoryGuards implements CanActivate, OnModuleInit {
  private guards: readonly CanActivate[] = [];

  constructor(
    private readonly moduleRef: ModuleRef,
    @Inject(DASHBOARD_OPTIONS) private readonly options: ResolvedDashboardOptions,
  ) {}

  async onModuleInit(): Promise<void> {
    this.guards = await Promise.all(
      this.options.guards.map((guard) => Promise.resolve(typeof guard === 'function' ? this.instanceOf(guard) : guard)),
    );
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    // A request that comes before the guards exist is refused.
    if (this.guards.length < this.options.guards.length) return false;
    for (const guard of this.guards) {
      const answer = guard.canActivate(context);
      const mayPass = isObservable(answer) ? await lastValueFrom(answer) : await answer;
      if (!mayPass) return false;
    }
    return true;
  }

  private async instanceOf(guard: Type<CanActivate>): Promise<CanActivate> {
    try {
      return this.moduleRef.get(guard, { strict: false });
    } catch {
      return this.moduleRef.create(guard);
    }
  }
}
