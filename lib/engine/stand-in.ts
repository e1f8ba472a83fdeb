/**
 * Returns an object that stands for another one until its first use. Nest creates every provider at boot and looks for its hooks, so
 * reading a hook is no use.
 *
 * @param resolve returns the real object, or throws when there is none
 */
export function standIn(resolve: (property: string) => object): object {
  let real: object | undefined;
  return new Proxy(
    {},
    {
      get(_target, property) {
        if (!real && (typeof property === 'symbol' || UNUSED.has(property))) return undefined;
        real ??= resolve(property as string);
        return Reflect.get(real, property) as unknown;
      },
      set: (_target, property, value) => Reflect.set((real ??= resolve(String(property))), property, value),
      has: (target, property) => Reflect.has(real ?? target, property),
      getPrototypeOf: (target) => Reflect.getPrototypeOf(real ?? target),
    },
  );
}

/** The properties that Nest, promises and test runners look for in any object. */
const UNUSED: ReadonlySet<string> = new Set([
  'then',
  'constructor',
  'toJSON',
  'asymmetricMatch',
  'nodeType',
  '$$typeof',
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);
