import { expect, test } from 'vitest';
import { createCanary } from './canary.ts';

function setUp() {
  const pulse = { turns: 0, isFull: false };
  const store = { ask: async () => {} };
  const canary = createCanary({
    pulse: () => pulse,
    askStore: () => store.ask(),
    everyMs: 1_000,
    wedgedAfterMs: 60_000,
  });
  const look = async (times: number, before = () => {}) => {
    for (let time = 0; time < times; time += 1) {
      before();
      await canary.look();
    }
  };
  return { pulse, store, canary, look };
}

const WEDGED = [expect.stringContaining('has taken no jobs for 60 s')];

test('a loop that does not turn for a minute is wedged, and none again when it turns', async () => {
  const { pulse, canary, look } = setUp();
  await look(60);
  expect(canary.problems()).toEqual([]);
  await look(1);
  expect(canary.problems()).toEqual(WEDGED);
  pulse.turns += 1;
  await look(1);
  expect(canary.problems()).toEqual([]);
});

test('a loop that turns now and then is well', async () => {
  const { pulse, canary, look } = setUp();
  for (let turn = 0; turn < 20; turn += 1) {
    await look(11);
    pulse.turns += 1;
  }
  expect(canary.problems()).toEqual([]);
});

test('a worker that is full of long runs is well, and has a minute after them', async () => {
  const { pulse, canary, look } = setUp();
  pulse.isFull = true;
  await look(1_000);
  expect(canary.problems()).toEqual([]);
  pulse.isFull = false;
  await look(59);
  expect(canary.problems()).toEqual([]);
  await look(1);
  expect(canary.problems()).toEqual(WEDGED);
});

test('a Redis that is away is not the doing of the worker, which has a minute after it is back', async () => {
  const { store, canary, look } = setUp();
  await look(55);
  store.ask = () => Promise.reject(new Error('away'));
  await look(1_000);
  expect(canary.problems()).toEqual([]);
  store.ask = async () => {};
  await look(59);
  expect(canary.problems()).toEqual([]);
  await look(1);
  expect(canary.problems()).toEqual(WEDGED);
});

test('a Redis that hangs is asked one question, however long it does', async () => {
  const { store, canary, look } = setUp();
  let asked = 0;
  const answer = Promise.withResolvers<void>();
  store.ask = () => {
    asked += 1;
    return answer.promise;
  };
  await look(2);
  expect([asked, canary.problems()]).toEqual([1, []]);
  answer.resolve();
  await look(1);
  await look(1);
  expect(asked).toBe(2);
});
