import { PassThrough } from 'node:stream';
import { SynclineError } from '@syncline/contract';
import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

/** A destination for log lines, and the lines. */
function collect() {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
}

function linesOf(log: (logger: ReturnType<typeof createLogger>) => void) {
  const { lines, destination } = collect();
  log(createLogger({ name: 'worker', level: 'info', destination }));
  return lines.map((line): Record<string, unknown> => JSON.parse(line));
}

test('the logger writes JSON lines with a level in words and an RFC 3339 time', () => {
  const [line] = linesOf((logger) => logger.info({ registry: 'official' }, 'synced'));
  expect(line).toMatchObject({
    level: 'info',
    name: 'worker',
    registry: 'official',
    msg: 'synced',
  });
  expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('the logger skips messages below its level', () => {
  expect(linesOf((logger) => logger.debug('detail'))).toEqual([]);
});

test('the logger redacts secrets in the usual fields', () => {
  const secrets = {
    authorization: 'hunter2',
    headers: { Authorization: 'hunter2', cookie: 'hunter2', 'set-cookie': ['hunter2'] },
    request: { headers: { authorization: 'hunter2' } },
    config: { api: { auth: { token: 'hunter2', password: 'hunter2' } } },
    redisUrl: 'redis://user:hunter2@redis.example:6379/0',
    url: 'redis+sentinel://:hunter2@a:1,b:2/main?sentinel_username=me&sentinel_password=hunter2&x=y',
  };
  const lines = linesOf((logger) => {
    logger.info(secrets, 'top');
    logger.child({ token: 'hunter2' }).info('child');
  });
  expect(JSON.stringify(lines)).not.toContain('hunter2');
  expect(lines[0]).toMatchObject({
    authorization: '[redacted]',
    redisUrl: 'redis://redis.example:6379/0',
    url: 'redis+sentinel://a:1,b:2/main?sentinel_username=me&sentinel_password=[redacted]&x=y',
    headers: { cookie: '[redacted]' },
  });
});

test('the logger does not change the logged object', () => {
  const fields = { headers: { authorization: 'hunter2' } };
  linesOf((logger) => logger.info(fields, 'x'));
  expect(fields.headers.authorization).toBe('hunter2');
});

test('the logger keeps the message, stack and code of an error', () => {
  const error = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
  const [line] = linesOf((logger) => logger.error({ err: error }, 'failed'));
  expect(line).toMatchObject({ err: { message: 'disk full', code: 'ENOSPC' } });
  expect(line).toHaveProperty('err.stack');
});

test.each([
  Object.assign(new AggregateError([new Error('no route')], 'no route'), { code: 'ECONNREFUSED' }),
  new SynclineError('config-invalid', 'a.yaml:1:1: expected a registry'),
])('the logger writes no stack for an expected condition: %s', (error) => {
  const [line] = linesOf((logger) => logger.warn({ err: error }, 'failed'));
  expect(line).toMatchObject({ err: { message: error.message, code: error.code } });
  expect(JSON.stringify(line)).not.toContain('logger.test.ts');
});

test('the logger writes human-readable lines on request', () => {
  const destination = new PassThrough();
  createLogger({ name: 'worker', level: 'info', pretty: true, destination }).info('synced');
  expect(String(destination.read())).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO \(worker\): synced\n$/,
  );
});
