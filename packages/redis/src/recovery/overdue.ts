import { batchesOf, type RedisKeys, type RegistryConfig } from '@syncline/contract';
import { lastFiringMs } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { luaScript } from '../lua/lua-script.ts';
import { stateOfNextTick } from '../queue/bullmq-internals.ts';
import { addWakeUp, overdueJobId, STARTS_PER_SECOND, type SyncQueue } from '../queue/queue.ts';
import { redisNowMs } from '../stores/registry-reader.ts';

/** A tick comes much sooner after its time; and there is time left of the minute that a run may be late. */
const OVERDUE_AFTER_MS = 20_000;
/** Takes Redis less than a millisecond. Batches of 250 made the ticks that fell due meanwhile up to 90 ms late. */
const BATCH_SIZE = 50;
/** In line: more of the same would only make it later. Not `active`, which may be a job that nobody has any more. */
const IN_LINE = new Set(['waiting', 'prioritized']);

const findOverdueScript = luaScript('find-overdue');
const overdueReply = z.array(z.int());

export interface OverdueOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly queue: SyncQueue;
  readonly registries: readonly RegistryConfig[];
  /** For how long the caller has known a registry: one that was never tried is given its time to begin. */
  readonly knownForMs: (registry: string) => number;
  /** How often this is called by the whole fleet. */
  readonly everyMs: number;
}

/**
 * Adds a wake-up for each registry that was not tried when it should have been. Ticks and wake-ups are events, and
 * events get lost: with a Redis that was full, or that has forgotten its last second. What was tried, and
 * when, does not depend on them.
 *
 * @returns how many wake-ups were added; the rest comes with the next calls, where there are very many
 */
export async function wakeOverdue(options: OverdueOptions): Promise<number> {
  const { redis, queue, everyMs } = options;
  const nowMs = await redisNowMs(redis);
  const wanted = options.registries.filter(({ suspended }) => !suspended);
  // From another one each time: where very many are in line, those at the end come to be looked at too.
  const first = Math.floor(Math.random() * wanted.length);
  const registries = [...wanted.slice(first), ...wanted.slice(0, first)];
  let left = Math.ceil((STARTS_PER_SECOND * everyMs) / 1_000);
  let wakeUps = 0;
  for (const batch of batchesOf(registries, BATCH_SIZE)) {
    if (left === 0) break;
    const found = await findOverdue(options, batch, nowMs);
    for (const { name } of found.slice(0, left)) {
      left -= 1;
      if (IN_LINE.has(await stateOfNextTick({ redis, queue }, name))) continue;
      const state = await queue.getJobState(overdueJobId(name, { isRepeated: false }));
      await addWakeUp(queue, { kind: 'overdue', registry: name, isRepeated: state === 'active' });
      wakeUps += 1;
    }
  }
  return wakeUps;
}

async function findOverdue(
  { redis, keys, knownForMs, registries: all }: OverdueOptions,
  registries: readonly RegistryConfig[],
  nowMs: number,
): Promise<RegistryConfig[]> {
  const names = registries.flatMap(({ name }) => [keys.status(name), keys.control(name)]);
  const times = registries.map((registry) => iso(triedSinceMs(registry, nowMs)));
  const numbers = overdueReply.parse(await findOverdueScript(redis, names, [iso(nowMs), ...times]));
  const found = new Set(numbers);
  const beginsMs = OVERDUE_AFTER_MS + (all.length / STARTS_PER_SECOND) * 1_000;
  return registries.filter(({ name }, index) => {
    const isNeverTried = found.has(-(index + 1));
    return isNeverTried ? knownForMs(name) > beginsMs : found.has(index + 1);
  });
}

/** Since when it should have been tried, with a little patience. */
function triedSinceMs({ schedule, syncPolicy }: RegistryConfig, nowMs: number): number {
  const patientMs = nowMs - OVERDUE_AFTER_MS;
  return schedule === undefined
    ? patientMs - syncPolicy.interval
    : lastFiringMs(schedule, patientMs);
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
