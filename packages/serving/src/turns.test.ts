import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

/** Blocks the event loop until a time, as a computation does. */
function computeUntil(untilMs: number): void {
  while (performance.now() < untilMs);
}

test('other events are handled between the slices of requests that compute for long', async () => {
  const turns = new Turns();
  let events = 0;
  let slices = 0;
  const compute = async () => {
    computeUntil(await turns.take());
    slices += 1;
    for (let slice = 1; slice < 5; slice += 1) {
      computeUntil(await turns.take('next'));
      slices += 1;
    }
  };
  const all = Promise.all([compute(), compute()]);
  await nextTurn();
  while (slices < 10) {
    const before = slices;
    await nextTurn();
    events += 1;
    expect(slices - before).toBeLessThanOrEqual(1);
  }
  await all;
  expect(events).toBeGreaterThanOrEqual(7);
});

test('a short request does not wait behind all long ones', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const compute = async (name: string, slices: number) => {
    computeUntil(await turns.take());
    for (let slice = 1; slice < slices; slice += 1) computeUntil(await turns.take('next'));
    order.push(name);
  };
  const long = Array.from({ length: 8 }, (_, index) => compute(`long ${index}`, 10));
  // Now all long requests continue.
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  await compute('short', 1);
  expect(order).toEqual(['short']);
  await Promise.all(long);
});

test('short requests share a slice', async () => {
  const turns = new Turns();
  let isLater = false;
  setImmediate(() => {
    isLater = true;
  });
  for (let request = 0; request < 20; request += 1) await turns.take();
  expect(isLater).toBe(false);
});
