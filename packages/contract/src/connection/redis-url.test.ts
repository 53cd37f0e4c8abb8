import { describe, expect, test } from 'vitest';
import { parseRedisUrl, redisPlace, redisUrlSchema } from './redis-url.ts';

const PLAIN = {
  kind: 'sentinel',
  sentinels: [{ host: 'a', port: 26_379 }],
  masterName: 'main',
  db: 0,
  isEncrypted: false,
  username: undefined,
  password: undefined,
  sentinelUsername: undefined,
  sentinelPassword: undefined,
} as const;

describe('parseRedisUrl', () => {
  test.each([
    'redis://127.0.0.1:6379',
    'rediss://user:p%40ss@redis.example/2',
    'REDIS://a',
    'redis://a/',
    'redis://a:/0',
    'redis://[::1]:65535/15?family=6',
    'redis://:p@ss:w@a:1',
  ])('reads a URL of one server: %s', (url) => {
    expect(parseRedisUrl(url)).toEqual({ kind: 'server', url });
  });

  test.each([
    ['redis+sentinel://a/main', {}],
    ['REDIS+Sentinel://a/main', {}],
    ['redis+sentinel://a:1/main/15', { sentinels: [{ host: 'a', port: 1 }], db: 15 }],
    ['redis+sentinel://a/my-main.2_b', { masterName: 'my-main.2_b' }],
    ['rediss+sentinel://a/main', { isEncrypted: true }],
    ['redis+sentinel://:secret@a/main', { password: 'secret' }],
    ['redis+sentinel://me:a:b%40%2F%25@a/main', { username: 'me', password: 'a:b@/%' }],
    ['redis+sentinel://a/main?sentinel_password=s+%26=', { sentinelPassword: 's+&=' }],
    [
      'redis+sentinel://a/main/0?sentinel_username=me&sentinel_password=s',
      { sentinelUsername: 'me', sentinelPassword: 's' },
    ],
    [
      'redis+sentinel://a.example:26380,10.0.0.2,[2001:db8::1]:26381,[::1]/main',
      {
        sentinels: [
          { host: 'a.example', port: 26_380 },
          { host: '10.0.0.2', port: 26_379 },
          { host: '2001:db8::1', port: 26_381 },
          { host: '::1', port: 26_379 },
        ],
      },
    ],
  ])('reads a URL of sentinels: %s', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual({ ...PLAIN, ...expected });
  });

  test.each([
    ['', 'use a redis://, '],
    ['hunter2', 'use a redis://, '],
    ['http://u:hunter2@a', 'use a redis://, '],
    ['sentinel://u:hunter2@a/main', 'use a redis://, '],
    ['redis://u:hunter2@a:99999', 'use a port from 1 to 65535'],
    ['redis://u:hunter2@a:0', 'use a port from 1 to 65535'],
    ['redis://u:hunter2@a:hunter2', 'use a port from 1 to 65535'],
    ['redis://u:hunter2@a:-1', 'use a port from 1 to 65535'],
    ['redis://u:hunter2@a:6379/hunter2', 'put the number of the database'],
    ['redis://u:hunter2@a/1/2', 'put the number of the database'],
    ['redis:///run/hunter2.sock', 'use the name of a host; sockets'],
    ['redis://u:hunter2@', 'use the name of a host'],
    ['redis://', 'use the name of a host'],
    ['redis://u:hunter2%zz@a', 'put two hexadecimal digits'],
    ['redis://u:hunter2#@a', 'use a redis://, '],
    ['redis://a b:1', 'use a redis://, '],
    ['redis+sentinel:a/main', 'use redis+sentinel://[user:password@]host'],
    ['redis+sentinel://hunter2@a/main', 'use redis+sentinel://[user:password@]host'],
    ['redis+sentinel://u:hunter2@hunter2@a/main', 'use redis+sentinel://[user:password@]host'],
    ['redis+sentinel://u:@a/main', 'use redis+sentinel://[user:password@]host'],
    ['redis+sentinel://u:hunter2/@a/main', 'write each sentinel'],
    ['redis+sentinel://a/main/0/hunter2', 'use redis+sentinel://[user:password@]host'],
    ['redis+sentinel://a/main#hunter2', 'use redis+sentinel://[user:password@]host'],
    ['redis+sentinel://u:hunter2%@a/main', 'put two hexadecimal digits'],
    ['redis+sentinel://u:hunter2%ff@a/main', 'put two hexadecimal digits'],
    ['redis+sentinel:///main', 'write each sentinel'],
    ['redis+sentinel://a,/main', 'write each sentinel'],
    ['redis+sentinel://a,,b/main', 'write each sentinel'],
    ['redis+sentinel://a:/main', 'write each sentinel'],
    ['redis+sentinel://a:0/main', 'write each sentinel'],
    ['redis+sentinel://a:65536/main', 'write each sentinel'],
    ['redis+sentinel://u:hunter2/main', 'write each sentinel'],
    ['redis+sentinel://::1/main', 'write each sentinel'],
    ['redis+sentinel://u:hunter2@a', 'put the name of the master'],
    ['redis+sentinel://u:hunter2@a/', 'put the name of the master'],
    ['redis+sentinel://u:hunter2@a/two words', 'put the name of the master'],
    ['redis+sentinel://u:hunter2@a/main/', 'put the number of the database'],
    ['redis+sentinel://u:hunter2@a/main/x', 'put the number of the database'],
    ['redis+sentinel://a/main?hunter2', 'use only the parameters'],
    ['redis+sentinel://a/main?sentinelPassword=hunter2', 'use only the parameters'],
    ['redis+sentinel://a/main?sentinel_password=hunter2%', 'put two hexadecimal digits'],
  ])('rejects an invalid URL with advice, and without its password: %s', (url, advice) => {
    const { error } = redisUrlSchema.safeParse(url);
    expect(error?.issues.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^(?:put|use|write) /),
    ]);
    const parse = () => parseRedisUrl(url);
    expect(parse).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    expect(parse).toThrow(`the URL of Redis is invalid: ${advice}`);
    expect(parse).not.toThrow('hunter2');
  });
});

test.each([
  ['rediss://user:pw@redis.example:6380/2', 'rediss://redis.example:6380'],
  ['redis+sentinel://a/main', 'redis+sentinel://a:26379/main'],
  [
    'rediss+sentinel://user:pw@a:1,[::1]/main/3?sentinel_password=pw',
    'rediss+sentinel://a:1,[::1]:26379/main',
  ],
])('the place of %s without credentials is %s', (url, place) => {
  expect(redisPlace(url)).toBe(place);
});
