import { batchesOf, type RegistryConfig } from '@syncline/contract';
import { lastFiringMs } from '@syncline/sync';
import { z } from 'zod';
import { type KeyAccess, luaScript } from '../lua/lua-script.ts';
import { stateOfNextTick } from '../queue/bullmq-internals.ts';
import { addWakeUp, overdueJobId, STARTS_PER_SECOND, type SyncQueue } from '../queue/queue.ts';
import { redisNowMs } from '../stores/registry-reader.ts';

/** Much longer than the usual delay of a tick, and shorter than the minute that a run may be late. */
const OVERDUE_AFTER_MS = 20_000;
/** A batch takes Redis less than a millisecond. With batches of 250, ticks were up to 90 ms late. */
const BATCH_SIZE = 50;
/**
 * Job states in which the tick still waits in the queue, so that a wake-up would not run sooner. `active` is not such a
 * state, because the worker of an active job may be dead.
 */
const IN_LINE = new Set(['waiting', 'prioritized']);

const findOverdueScript = luaScript('find-overdue');
const overdueReply = z.array(z.int());

export interface OverdueOptions extends KeyAccess {
  readonly queue: SyncQueue;
  readonly registries: readonly RegistryConfig[];
  /** Returns how long the caller has known a registry, in milliseconds. A new registry gets time for its first run. */
  readonly knownForMs: (registry: string) => number;
  /** The interval between two calls in the whole fleet. */
  readonly everyMs: number;
}

/**
 * Adds a wake-up for each overdue registry. Ticks and wake-ups can get lost, for example if Redis was full or has lost
 * its last second. The time of the last attempt in the status does not depend on them.
 *
 * @returns the number of added wake-ups. If very many registries are overdue, the next calls add the rest
 */
export async function wakeOverdue(options: OverdueOptions): Promise<number> {
  const { redis, queue, everyMs } = options;
  const nowMs = await redisNowMs(redis);
  const wanted = options.registries.filter(({ suspended }) => !suspended);
  // Starts at a random registry, so that each registry gets checked even if very many wait.
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

/** Returns the limit for the last attempt, with a tolerance. A registry is overdue if its last attempt was earlier. */
function triedSinceMs({ schedule, syncPolicy }: RegistryConfig, nowMs: number): number {
  const patientMs = nowMs - OVERDUE_AFTER_MS;
  return schedule === undefined
    ? patientMs - syncPolicy.interval
    : lastFiringMs(schedule, patientMs);
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
