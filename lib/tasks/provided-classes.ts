import type { Type } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';

/** A class whose tasks a provider runs. */
export interface ProvidedClass {
  /** The provider of the instance; for `useExisting`, the provider that it names. */
  readonly provider: InstanceWrapper;
  /** The class that declares the tasks, as producers name it: `taskQueue.of(target)`. */
  readonly target: Type;
  /** The class of the instance when it is `target` or a subclass of it, otherwise `target`. */
  readonly type: Type;
  /**
   * Whether `target` is only the class of the instance, and the provider stands for another class: SmtpMailer of
   * `{ provide: Mailer, useClass: SmtpMailer }`.
   */
  readonly isBehindToken: boolean;
}

/**
 * The classes of all providers and controllers.
 *
 * Producers know a task by the class that they ask for, so a provider runs the tasks of the class that is its token,
 * whatever instance it has: of a subclass, from a factory, of a test double. The class of the instance itself counts
 * too, because producers may ask for it, unless another provider has that class for its token.
 */
export function providedClasses(discovery: DiscoveryService): ProvidedClass[] {
  const all = [...discovery.getProviders(), ...discovery.getControllers()];
  const byToken = withoutCopies(
    all.flatMap((wrapper) => {
      const target = asClass(wrapper.token);
      if (!target || (wrapper.isNotMetatype && isNil(wrapper.instance) && wrapper.isDependencyTreeStatic())) return [];
      const provider = wrapper.isAlias ? aliased(wrapper, all) : wrapper;
      return [{ provider, target, type: typeOf(provider, target), isBehindToken: false }];
    }),
  );
  const tokens = new Set(byToken.map(({ target }) => target));
  return [...byToken, ...behindTokens(all, tokens)];
}

/** The class of an instance that stands for `target`: its own class when it inherits from `target`, else `target`. */
export function typeOfInstance(instance: object, target: Type): Type {
  const own = classOfInstance(instance);
  return own?.prototype instanceof target ? own : target;
}

/** The classes of instances that are no token themselves. */
function behindTokens(all: readonly InstanceWrapper[], tokens: ReadonlySet<Type>): ProvidedClass[] {
  const found: ProvidedClass[] = [];
  const seen = new Set<unknown>();
  for (const provider of all) {
    const target = provider.isAlias ? undefined : classOf(provider);
    // Several tokens may provide the same instance.
    const identity: unknown = provider.instance ?? provider;
    if (!target || tokens.has(target) || seen.has(identity)) continue;
    seen.add(identity);
    found.push({ provider, target, type: target, isBehindToken: asClass(provider.token) !== undefined });
  }
  // When several tokens have instances of one class, a producer that asks for the class cannot mean one of them.
  const counts = new Map<Type, number>();
  for (const { target } of found) counts.set(target, (counts.get(target) ?? 0) + 1);
  return found.filter(({ target, isBehindToken }) => !isBehindToken || counts.get(target) === 1);
}

/**
 * Keeps one of several equal providers: of a module that is imported twice with different options, Nest creates two
 * instances. A task runs once, on the instance that was created first.
 */
function withoutCopies(found: readonly ProvidedClass[]): ProvidedClass[] {
  const kept = new Map<Type, ProvidedClass[]>();
  for (const item of found) {
    const others = kept.get(item.target) ?? [];
    if (others.some(({ provider }) => isCopy(item.provider, provider))) continue;
    kept.set(item.target, [...others, item]);
  }
  return [...kept.values()].flat();
}

function isCopy(one: InstanceWrapper, other: InstanceWrapper): boolean {
  const isSameInstance = !isNil(one.instance) && one.instance === other.instance;
  return one === other || isSameInstance || one.host?.metatype === other.host?.metatype;
}

/** The provider that `useExisting` names. Nest stores the token as the only dependency. */
function aliased(wrapper: InstanceWrapper, all: readonly InstanceWrapper[]): InstanceWrapper {
  const [token] = (wrapper.inject ?? []) as unknown[];
  const candidates = all.filter((other) => other.token === token && other !== wrapper);
  const found =
    candidates.find(({ instance }) => !isNil(instance) && instance === wrapper.instance) ??
    candidates.find(({ host }) => host === wrapper.host) ??
    candidates[0];
  if (!found) return wrapper;
  return found.isAlias ? aliased(found, all) : found;
}

function typeOf(provider: InstanceWrapper, target: Type): Type {
  const own = classOf(provider);
  return own?.prototype instanceof target ? own : target;
}

/** The class of a provider's instance. For a factory or `useValue` it is the class of the instance, if there is one. */
function classOf({ metatype, instance, isNotMetatype }: InstanceWrapper): Type | undefined {
  if (!isNotMetatype) return asClass(metatype);
  return typeof instance === 'object' && instance !== null ? classOfInstance(instance) : undefined;
}

/** Does not read `instance.constructor`: an instance may be a Proxy that answers every property. */
function classOfInstance(instance: object): Type | undefined {
  const prototype = Object.getPrototypeOf(instance) as object | null;
  return asClass(prototype?.constructor);
}

function asClass(value: unknown): Type | undefined {
  return typeof value === 'function' && value.prototype ? (value as Type) : undefined;
}

function isNil(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}
