import { expect, test } from 'vitest';
import { LastKnown } from './last-known.ts';

const AWAY = new Error('away');

function setUp({ maxBytes = 1_000 } = {}) {
  const clock = { nowMs: 0, monotonic: () => clock.nowMs };
  const known = new LastKnown<string>({
    clock,
    isAway: (error) => error === AWAY,
    maxBytes,
    sizeOf: (text) => text.length,
  });
  return { clock, known };
}

const away = () => Promise.reject(AWAY);

test('returns the last answer with its age while the store is away, and new answers after that', async () => {
  const { clock, known } = setUp();
  expect(await known.read('a', async () => 'one')).toEqual({ value: 'one', ageMs: undefined });
  clock.nowMs = 1_500;
  expect(await known.read('a', away)).toEqual({ value: 'one', ageMs: 1_500 });
  clock.nowMs = 60_000;
  expect(await known.read('a', away)).toEqual({ value: 'one', ageMs: 60_000 });
  expect(await known.read('a', async () => 'two')).toEqual({ value: 'two', ageMs: undefined });
  clock.nowMs = 60_001;
  expect(await known.read('a', away)).toEqual({ value: 'two', ageMs: 1 });
});

test('counts the age from the start of the read, not from its answer', async () => {
  const { clock, known } = setUp();
  await known.read('a', async () => {
    clock.nowMs = 400;
    return 'one';
  });
  expect(await known.read('a', away)).toEqual({ value: 'one', ageMs: 400 });
});

test('throws if no answer is known, and for any other error', async () => {
  const { known } = setUp();
  await expect(known.read('a', away)).rejects.toBe(AWAY);
  await known.read('a', async () => 'one');
  await expect(known.read('b', away)).rejects.toBe(AWAY);
  await expect(known.read('a', () => Promise.reject(new Error('corrupt')))).rejects.toThrow(
    'corrupt',
  );
});

test('a late answer does not replace a newer one', async () => {
  const { known } = setUp();
  const slow = Promise.withResolvers<string>();
  const asked = known.read('a', () => slow.promise);
  await known.read('a', async () => 'two');
  slow.resolve('one');
  expect(await asked).toEqual({ value: 'one', ageMs: undefined });
  expect(await known.read('a', away)).toMatchObject({ value: 'two' });
});

test('a failed earlier read returns a newer answer', async () => {
  const { known } = setUp();
  await known.read('a', async () => 'one');
  const slow = Promise.withResolvers<string>();
  const asked = known.read('a', () => slow.promise);
  await known.read('a', async () => 'two');
  slow.reject(AWAY);
  expect(await asked).toMatchObject({ value: 'two' });
});

test('forgets the answers that were not asked for the longest time, if there are too many bytes', async () => {
  const { known } = setUp({ maxBytes: 10 });
  for (const key of ['a', 'b', 'a', 'c']) await known.read(key, async () => 'four');
  expect([known.peek('a'), known.peek('b'), known.peek('c')]).toEqual(['four', undefined, 'four']);
  expect(known.bytes).toBe(10);
  await known.read('large', async () => 'more than ten');
  expect(known.bytes).toBe(0);
});
