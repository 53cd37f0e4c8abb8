import { controlSchema, statusSchema } from '@syncline/contract';
import type { RegistryReader } from '@syncline/redis';
import { expect, test } from 'vitest';
import { rememberRegistries } from './remembered-registries.ts';

/** A fake Redis, and a reader that remembers its answers. */
function setUp() {
  const clock = { nowMs: 0, monotonic: () => clock.nowMs };
  const redis = { nowMs: 1_000_000, isAway: false, reads: [] as string[][] };
  const reader: RegistryReader = {
    readMany: async (names) => {
      redis.reads.push([...names]);
      if (redis.isAway) throw new Error('Command timed out');
      const one = { status: statusSchema.parse({}), control: controlSchema.parse({}) };
      return { nowMs: redis.nowMs, registries: new Map(names.map((name) => [name, one])) };
    },
  };
  return {
    clock,
    redis,
    remembered: rememberRegistries(reader, {
      clock,
      isConfigured: (name) => !name.startsWith('gone'),
    }),
  };
}

test('the remembered time advances from the last time that Redis reported', async () => {
  const { clock, redis, remembered } = setUp();
  expect(await remembered.readMany(['a', 'b'])).toMatchObject({ nowMs: 1_000_000 });
  redis.isAway = true;
  clock.nowMs = 7_000;
  const { nowMs, ageMs, registries } = await remembered.readMany(['a', 'b']);
  expect([nowMs, ageMs, [...registries.keys()]]).toEqual([1_007_000, 7_000, ['a', 'b']]);
  redis.isAway = false;
  redis.nowMs = 1_006_900;
  expect(await remembered.readMany(['a', 'b'])).toMatchObject({
    nowMs: 1_006_900,
    ageMs: undefined,
  });
});

test('a registry that was never read is unknown while Redis is away', async () => {
  const { redis, remembered } = setUp();
  await remembered.readMany(['a']);
  redis.isAway = true;
  await expect(remembered.readMany(['b'])).rejects.toThrow('timed out');
});

test('many requests share one read for a second, and each registry is read once', async () => {
  const { clock, redis, remembered } = setUp();
  await Promise.all([
    ...Array.from({ length: 20 }, () => remembered.readMany(['a', 'b'])),
    remembered.readMany(['b', 'c']),
  ]);
  expect(redis.reads).toEqual([['a', 'b'], ['c']]);
  clock.nowMs = 999;
  expect(await remembered.readMany(['a', 'c'])).toMatchObject({ nowMs: 1_000_999 });
  expect(redis.reads).toHaveLength(2);
  clock.nowMs = 1_000;
  await remembered.readMany(['a', 'c']);
  expect(redis.reads[2]).toEqual(['a', 'c']);
});

test('a failed read is not shared with later requests', async () => {
  const { redis, remembered } = setUp();
  redis.isAway = true;
  const reads = [remembered.readMany(['a']), remembered.readMany(['a'])];
  for (const read of reads) await expect(read).rejects.toThrow('timed out');
  expect(redis.reads).toHaveLength(1);
  redis.isAway = false;
  expect(await remembered.readMany(['a'])).toMatchObject({ ageMs: undefined });
});

test('registries that are gone from the config are forgotten', async () => {
  const { clock, redis, remembered } = setUp();
  const gone = Array.from({ length: 2_000 }, (_, index) => `gone-${index}`);
  await remembered.readMany(gone);
  clock.nowMs = 5_000;
  redis.isAway = true;
  await expect(remembered.readMany(gone)).rejects.toThrow('timed out');
});

test('the current state is never an old one', async () => {
  const { clock, redis, remembered } = setUp();
  await remembered.current.readMany(['a']);
  await remembered.current.readMany(['a']);
  expect(redis.reads).toEqual([['a']]);
  redis.isAway = true;
  clock.nowMs = 2_000;
  await expect(remembered.current.readMany(['a'])).rejects.toThrow('timed out');
  expect(await remembered.readMany(['a'])).toMatchObject({ ageMs: 2_000 });
});
