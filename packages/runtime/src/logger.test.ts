import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

/** A place for lines to go, and the lines. */
function collect() {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
}

function linesOf(log: (logger: ReturnType<typeof createLogger>) => void) {
  const { lines, destination } = collect();
  log(createLogger({ name: 'worker', level: 'info', destination }));
  return lines.map((line): Record<string, unknown> => JSON.parse(line));
}

test('writes JSON lines with a level in words and an RFC 3339 time', () => {
  const [line] = linesOf((logger) => logger.info({ registry: 'official' }, 'synced'));
  expect(line).toMatchObject({
    level: 'info',
    name: 'worker',
    registry: 'official',
    msg: 'synced',
  });
  expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('leaves out what is below its level', () => {
  expect(linesOf((logger) => logger.debug('detail'))).toEqual([]);
});

test('takes secrets out, wherever they usually are', () => {
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

test('does not change what it was given', () => {
  const fields = { headers: { authorization: 'hunter2' } };
  linesOf((logger) => logger.info(fields, 'x'));
  expect(fields.headers.authorization).toBe('hunter2');
});

test('keeps message, stack and code of errors', () => {
  const error = Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
  const [line] = linesOf((logger) => logger.error({ err: error }, 'failed'));
  expect(line).toMatchObject({ err: { message: 'no route', code: 'ECONNREFUSED' } });
  expect(line).toHaveProperty('err.stack');
});

test('writes lines for people if asked to', () => {
  const destination = new PassThrough();
  createLogger({ name: 'worker', level: 'info', pretty: true, destination }).info('synced');
  expect(String(destination.read())).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO \(worker\): synced\n$/,
  );
});
