/** What JSON would lose of the instances of a class, by the prototype of the class; `undefined` when it is nothing. */
const LOSSES = new WeakMap<object, string | undefined>();

/** The declaration of a private field in the source of a class. No reflection of JavaScript shows the field itself. */
const PRIVATE_FIELD = /[{};/]\s*(#[A-Za-z_$][\w$]*)\s*[=;}\n]/;

/**
 * What JSON would lose of an instance of a class; `undefined` when the instance is plain data: an object whose whole
 * state is in enumerable properties of its own, as the DTOs that Nest's `ValidationPipe` makes. Methods do not count,
 * because the receiver of JSON expects none.
 *
 * @returns completes the sentence "JSON would lose …"
 */
export function lossOfInstance(instance: object): string | undefined {
  const prototype = Object.getPrototypeOf(instance) as object;
  const loss = lossOfClass(prototype);
  if (loss !== undefined) return loss;
  const keys = Reflect.ownKeys(instance);
  const hidden = keys.find((key) => typeof key === 'symbol' || !isEnumerable(instance, key));
  if (hidden !== undefined) return `its hidden property ${String(hidden)}`;
  // A compiler for older targets keeps private fields outside of the object.
  return keys.length > 0 ? undefined : 'all of it, because it has no properties of its own';
}

function lossOfClass(prototype: object): string | undefined {
  if (!LOSSES.has(prototype)) LOSSES.set(prototype, findLoss(prototype));
  return LOSSES.get(prototype);
}

function findLoss(prototype: object): string | undefined {
  // The last prototype is the `Object.prototype` of some realm.
  for (let at = prototype; Object.getPrototypeOf(at) !== null; at = Object.getPrototypeOf(at) as object) {
    const type: unknown = Object.hasOwn(at, 'constructor') ? at.constructor : undefined;
    const source = typeof type === 'function' ? Function.prototype.toString.call(type) : '';
    if (/\{\s*\[native code\]\s*\}\s*$/.test(source)) return `what it has as ${article((type as Function).name)}`;
    const field = PRIVATE_FIELD.exec(source)?.[1];
    if (field !== undefined) return `its private field ${field}`;
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (get) return `its getter ${key}`;
    }
  }
  return undefined;
}

function isEnumerable(object: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(object, key);
}

function article(name: string): string {
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}
