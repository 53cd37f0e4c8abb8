import { expect, test } from 'vitest';
import { createCanary } from './canary.ts';

function setUp() {
  const pulse = { turns: 0, isFull: false };
  const redis = { status: 'ready', ping: async (): Promise<unknown> => 'PONG' };
  const logged: unknown[] = [];
  const canary = createCanary({
    pulse: () => pulse,
    redis,
    logger: { error: (...line: unknown[]) => void logged.push(line) },
    wedgedAfterMs: 60_000,
  });
  const pass = async (times: number) => {
    for (let time = 0; time < times; time += 1) await canary.pass(new AbortController().signal);
  };
  return { pulse, redis, logged, canary, pass };
}

const WEDGED = [expect.stringContaining('has taken no jobs for 60 s')];
const WEDGED_LONGER = [expect.stringContaining('has taken no jobs for 61 s')];

test('a worker whose loop stands still for more than a minute is wedged until the loop turns', async () => {
  const { pulse, logged, canary, pass } = setUp();
  await pass(60);
  expect(canary.problems()).toEqual([]);
  await pass(2);
  expect(canary.problems()).toEqual(WEDGED_LONGER);
  expect(logged).toEqual([[{ problems: WEDGED }, 'worker wedged']]);
  pulse.turns += 1;
  await pass(1);
  expect(canary.problems()).toEqual([]);
});

test('a worker whose loop turns now and then is healthy', async () => {
  const { pulse, canary, pass } = setUp();
  for (let turn = 0; turn < 20; turn += 1) {
    await pass(11);
    pulse.turns += 1;
  }
  expect(canary.problems()).toEqual([]);
});

test('a worker full of long runs is healthy, and gets a minute after they end', async () => {
  const { pulse, canary, pass } = setUp();
  pulse.isFull = true;
  await pass(1_000);
  expect(canary.problems()).toEqual([]);
  pulse.isFull = false;
  await pass(59);
  expect(canary.problems()).toEqual([]);
  await pass(1);
  expect(canary.problems()).toEqual(WEDGED);
});

test('a worker is healthy during a Redis outage, and gets a minute after it', async () => {
  const { redis, canary, pass } = setUp();
  await pass(55);
  redis.ping = () => Promise.reject(new Error('away'));
  await pass(500);
  redis.status = 'reconnecting';
  await pass(500);
  expect(canary.problems()).toEqual([]);
  redis.status = 'ready';
  redis.ping = async () => 'PONG';
  await pass(59);
  expect(canary.problems()).toEqual([]);
  await pass(1);
  expect(canary.problems()).toEqual(WEDGED);
});

test('a Redis that hangs gets one ping only', async () => {
  const { redis, canary, pass } = setUp();
  let asked = 0;
  const answer = Promise.withResolvers<void>();
  redis.ping = () => {
    asked += 1;
    return answer.promise;
  };
  await pass(2);
  expect([asked, canary.problems()]).toEqual([1, []]);
  answer.resolve();
  await pass(1);
  await pass(1);
  expect(asked).toBe(2);
});
