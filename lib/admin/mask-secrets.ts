import type { Json } from '../engine/json.js';

/** What is shown instead of a secret. */
export const MASK = '[masked]';

/** Names of values that are secrets, whatever their type is. The words of a name are joined by single spaces. */
const SECRET =
  /\b(pass(word|wd|phrase|code)?s?|pwd|pw|secrets?|authorization|cookies?|credentials?|jwt|bearer|csrf|xsrf|otp|cvv|cvc|pin|iban|ssn|(api|access|private|signing|encryption|secret) ?keys?|session ?id|card ?number|auth|apikeys?)\b/;
/** A token is a secret when it is a text; a number counts tokens: `maxTokens: 4000`. */
const TOKEN = /\b(\w*tokens?|signature|nonce)\b/;

// The parts in front of a secret have a longest length, so that a text of a megabyte is searched once and not from each letter on.
/** `user:password@` of a URL. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@]*):[^\s/@]+@/gi;
/** `Bearer abc…`, as in a header. */
const BEARER = /\b(Bearer|Basic)\s+[\w.~+/-]{8,}=*/g;
/** `token=abc` and `"password": "abc"` in a text, for example in a query or a log line. */
const ASSIGNMENT =
  /\b([\w-]{0,60}(?:password|passwd|pwd|secret|token|api[_-]?key|authorization|cookie)["']?\s*[=:]\s*)(?!\[masked\])("[^"]*"|'[^']*'|[^\s&,;"'})\]]+)/gi;

/**
 * The value with secrets replaced by {@link MASK}: the values of properties that are named like secrets (`password`,
 * `apiKey`, `set-cookie`, `accessToken` …), and passwords and tokens inside of texts. Everything else stays as it is.
 *
 * It cannot know a secret without a name, such as a password that is a whole argument of its own.
 *
 * @example maskSecrets({ user: 'ann', apiKey: 'k1' }) // { user: 'ann', apiKey: '[masked]' }
 */
export function maskSecrets<T>(value: T): T {
  return mask(value as Json) as T;
}

/** Masks passwords and tokens inside of a text: in URLs, in `Bearer …`, and behind `password=` and its like. */
export function maskText(text: string): string {
  return text.replace(URL_PASSWORD, `$1:${MASK}@`).replace(BEARER, `$1 ${MASK}`).replace(ASSIGNMENT, `$1${MASK}`);
}

/** Whether a property of this name holds a secret. @param value a number is no token */
export function isSecretName(name: string, value: unknown): boolean {
  if (value === null || value === undefined || value === '' || typeof value === 'boolean') return false;
  const words = wordsOf(name);
  return SECRET.test(words) || (typeof value !== 'number' && TOKEN.test(words));
}

function mask(value: Json): Json {
  if (typeof value === 'string') return maskText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(mask);
  return Object.fromEntries(
    Object.entries(value as Record<string, Json>).map(([name, entry]) => [
      name,
      isSecretName(name, entry) ? MASK : mask(entry),
    ]),
  );
}

/** `x-api-key`, `apiKey`, `APIKey` and `api_key` have the words `api key`. */
function wordsOf(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .replaceAll(/[^A-Za-z0-9]+/g, ' ')
    .toLowerCase()
    .trim();
}
