import { describe, expect, it } from '@jest/globals';
import { isSecretName, maskSecrets, maskText } from '../../../lib/admin/mask-secrets.js';

describe('maskSecrets', () => {
  it.each([
    ...['password', 'userPassword', 'db_password', 'passwordHash', 'PASSWD', 'pwd', 'passphrase'],
    ...['token', 'accessToken', 'refresh_token', 'tokens', 'secret', 'clientSecret', 'webhookSecrets'],
    ...['apiKey', 'api_key', 'x-api-key', 'APIKey', 'apikey', 'privateKey', 'accessKeyId'],
    ...['authorization', 'Authorization', 'cookie', 'set-cookie', 'credentials', 'sessionId', 'jwt', 'cvv'],
  ])('a value named %s is masked', (name) => {
    expect(maskSecrets({ [name]: 'hush', other: 1 })).toEqual({ [name]: '[masked]', other: 1 });
  });

  it.each(['author', 'monkey', 'keyboard', 'passenger', 'compass', 'cookbook', 'secretary', 'key', 'session', 'name'])(
    'a value named %s is shown',
    (name) => {
      expect(maskSecrets({ [name]: 'shown' })).toEqual({ [name]: 'shown' });
    },
  );

  it('a number of tokens is no secret, a number as a password is one', () => {
    expect(maskSecrets({ maxTokens: 4_000, password: 1234 })).toEqual({ maxTokens: 4_000, password: '[masked]' });
  });

  it('empty values and booleans show nothing, so they stay', () => {
    const value = { password: null, token: '', hasSecret: true };
    expect(maskSecrets(value)).toEqual(value);
  });

  it('a secret that is an object is masked as a whole, and one deep inside is found', () => {
    expect(maskSecrets([{ credentials: { user: 'a' }, deep: [{ login: { secret: 's' } }] }])).toEqual([
      { credentials: '[masked]', deep: [{ login: { secret: '[masked]' } }] },
    ]);
  });

  it('the value itself does not change', () => {
    const value = { token: 'a' };
    maskSecrets(value);
    expect(value).toEqual({ token: 'a' });
  });

  it('a key named __proto__ is kept as data', () => {
    const value = JSON.parse('{"__proto__": {"token": "a"}}') as object;
    expect(JSON.stringify(maskSecrets(value))).toBe('{"__proto__":{"token":"[masked]"}}');
  });
});

describe('maskText', () => {
  it.each([
    ['postgres://ann:hush@db/app', 'postgres://ann:[masked]@db/app'],
    ['redis://:hush@host:6379', 'redis://:[masked]@host:6379'],
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: [masked] [masked]'],
    ['GET /a?token=abc&page=2', 'GET /a?token=[masked]&page=2'],
    ['{"password": "a b", "user": "ann"}', '{"password": [masked], "user": "ann"}'],
    ['the token expired at 10:00', 'the token expired at 10:00'],
    ['https://example.com/a@b', 'https://example.com/a@b'],
  ])('%s becomes %s', (text, masked) => {
    expect(maskText(text)).toBe(masked);
  });
});

it('isSecretName takes any name', () => {
  expect(isSecretName('', 'a')).toBe(false);
  expect(isSecretName('🔑', 'a')).toBe(false);
});
