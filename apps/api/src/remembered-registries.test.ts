import { controlSchema, statusSchema } from '@syncline/contract';
import type { RegistryReader } from '@syncline/redis';
import { expect, test } from 'vitest';
import { rememberRegistries } from './registries.ts';

/** A fake Redis, and a reader that remembers its answers. */
function setUp() {
  const clock = { nowMs: 0, monotonic: () => clock.nowMs };
  const redis = { nowMs: 1_000_000, isAway: false };
  const reader: RegistryReader = {
    readMany: async (names) => {
      if (redis.isAway) throw new Error('Command timed out');
      const one = { status: statusSchema.parse({}), control: controlSchema.parse({}) };
      return { nowMs: redis.nowMs, registries: new Map(names.map((name) => [name, one])) };
    },
  };
  return { clock, redis, remembered: rememberRegistries(reader, { clock }) };
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
