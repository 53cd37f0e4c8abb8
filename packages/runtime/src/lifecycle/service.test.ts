import { expect, test } from 'vitest';
import { composeServices, type Readiness, readinessOf, type Service } from './service.ts';

/** A service that notes in `log` when its stop begins and ends. */
function service(
  name: string,
  { log = [], readiness = readinessOf([]) }: { log?: string[]; readiness?: Readiness } = {},
): Service {
  return {
    name,
    readiness: async () => readiness,
    stop: async () => {
      log.push(`${name} stopping`);
      await Promise.resolve();
      log.push(`${name} stopped`);
    },
  };
}

test('a composed service is ready when all its parts are', async () => {
  const all = composeServices('up', [service('api'), service('worker')]);
  expect(await all.readiness()).toEqual({ ready: true, problems: [] });
});

test('a composed service says which parts are not ready, and why', async () => {
  const broken: Service = {
    ...service('api'),
    readiness: () => Promise.reject(new Error('no answer')),
  };
  const all = composeServices('up', [
    broken,
    service('worker', { readiness: readinessOf(['Redis is away']) }),
    service('scheduler', { readiness: { ready: false, problems: [] } }),
  ]);
  expect(await all.readiness()).toEqual({
    ready: false,
    problems: ['api: no answer', 'worker: Redis is away', 'scheduler: not ready'],
  });
});

test('a composed service stops its parts one by one, the last started first', async () => {
  const log: string[] = [];
  await composeServices('up', [service('redis', { log }), service('worker', { log })]).stop();
  expect(log).toEqual(['worker stopping', 'worker stopped', 'redis stopping', 'redis stopped']);
});

test('a composed service stops the parts in stopOrder first, and then all others', async () => {
  const log: string[] = [];
  const api = service('api', { log });
  const parts = [service('redis', { log }), api, service('worker', { log })];
  await composeServices('up', parts, { stopOrder: [api] }).stop();
  expect(log.filter((line) => line.endsWith('stopped'))).toEqual([
    'api stopped',
    'worker stopped',
    'redis stopped',
  ]);
});

test('a composed service stops each part once, even if it is stopped several times', async () => {
  const log: string[] = [];
  const all = composeServices('up', [service('api', { log })]);
  await Promise.all([all.stop(), all.stop()]);
  await all.stop();
  expect(log).toEqual(['api stopping', 'api stopped']);
});

test('a composed service stops the other parts if one fails to stop, and throws the error', async () => {
  const log: string[] = [];
  const stuck: Service = { ...service('worker'), stop: () => Promise.reject(new Error('stuck')) };
  const all = composeServices('up', [service('redis', { log }), stuck]);
  await expect(all.stop()).rejects.toThrow('stuck');
  expect(log).toEqual(['redis stopping', 'redis stopped']);
});

test('a composed service is live while all its parts are, even if some have no liveness check', () => {
  const worker: Service = { ...service('worker'), liveness: () => ['takes no jobs'] };
  expect(composeServices('up', [service('api')]).liveness?.()).toEqual([]);
  const all = composeServices('up', [service('api'), worker]);
  expect(all.liveness?.()).toEqual(['worker: takes no jobs']);
});
