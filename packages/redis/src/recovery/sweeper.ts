import {
  batchesOf,
  type Config,
  type Logger,
  type RecurringTask,
  type RedisKeys,
} from '@syncline/contract';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { luaScript } from '../lua/lua-script.ts';
import { addWakeUp, type SyncQueue } from '../queue/queue.ts';
import type { Store } from '../stores/open-store.ts';
import { wakeOverdue } from './overdue.ts';

/** Since when each name is known, of those that are known now: a new config makes none of them new. */
export function knownSince(
  before: ReadonlyMap<string, number>,
  { names, nowMs }: { names: readonly string[]; nowMs: number },
): ReadonlyMap<string, number> {
  return new Map(names.map((name) => [name, before.get(name) ?? nowMs]));
}

/** Takes Redis less than a millisecond. Batches of 250 made the ticks that fell due meanwhile up to 90 ms late. */
const BATCH_SIZE = 50;

const findNeglectedScript = luaScript('find-neglected');
const neglectedReply = z.array(z.union([z.string(), z.number()]));

export interface SweepOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly queue: SyncQueue;
  readonly registries: readonly string[];
  /** Names this process among those that sweep. */
  readonly owner: string;
  /** One sweep of the whole fleet in this time. */
  readonly everyMs: number;
}

/**
 * Adds a wake-up for each run whose lease has expired before the run ended, and for each open request without a run.
 *
 * @returns how many wake-ups were added; `undefined` if another process has the turn
 */
export async function sweep(options: SweepOptions): Promise<number | undefined> {
  const { redis, keys, registries, owner, everyMs } = options;
  // A little less than the period, so the same process can also take the next turn.
  const turn = await redis.set(keys.sweepTurn, owner, 'PX', Math.ceil(everyMs * 0.9), 'NX');
  if (turn === null) {
    // A turn without expiry is not one of Syncline, and would be the last one.
    if ((await redis.pttl(keys.sweepTurn)) === -1) await redis.unlink(keys.sweepTurn);
    return undefined;
  }
  let wakeUps = 0;
  for (const batch of batchesOf(registries, BATCH_SIZE)) {
    wakeUps += await sweepBatch(options, batch);
  }
  return wakeUps;
}

async function sweepBatch(
  { redis, keys, queue }: SweepOptions,
  registries: readonly string[],
): Promise<number> {
  let wakeUps = 0;
  for (const { registry, term, request } of await findNeglected({ redis, keys }, registries)) {
    if (term !== undefined) await addWakeUp(queue, { kind: 'interrupted', registry, term });
    if (request !== undefined) await addWakeUp(queue, { kind: 'request', registry, request });
    wakeUps += (term === undefined ? 0 : 1) + (request === undefined ? 0 : 1);
  }
  return wakeUps;
}

/** A registry that needs a wake-up. */
export interface Neglected {
  readonly registry: string;
  /** The term of a run whose lease has expired before it ended. */
  readonly term?: string;
  /** The last request that is open. */
  readonly request?: number;
}

/** Finds neglected registries among some. */
export async function findNeglected(
  { redis, keys }: Pick<SweepOptions, 'redis' | 'keys'>,
  registries: readonly string[],
): Promise<Neglected[]> {
  const names = registries.flatMap((name) => [keys.status(name), keys.control(name)]);
  const flat = neglectedReply.parse(await findNeglectedScript(redis, names, []));
  const found: Neglected[] = [];
  for (let index = 0; index < flat.length; index += 3) {
    const registry = registries[Number(flat[index]) - 1] ?? '';
    const term = String(flat[index + 1]);
    const request = Number(flat[index + 2]);
    found.push({
      registry,
      ...(term === '' ? {} : { term }),
      ...(request === 0 ? {} : { request }),
    });
  }
  return found;
}

/** How often the fleet sweeps. A kill costs at most this time and the 12 s of a lease. */
const SWEEP_EVERY_MS = 4_000;

export interface SweeperOptions {
  readonly store: Pick<Store, 'redis' | 'keys' | 'queue' | 'owner' | 'config'>;
  readonly logger: Logger;
}

/** Wakes workers for interrupted runs, open requests and overdue registries, if it is the turn of this process. */
export function createSweeper({ store, logger }: SweeperOptions): RecurringTask {
  const { config } = store;
  const everyMs = SWEEP_EVERY_MS;
  let current: Config | undefined;
  let knownSinceMs: ReadonlyMap<string, number> = new Map();
  return {
    everyMs,
    async pass() {
      await config.refresh();
      const nowMs = performance.now();
      const registries = config.targets();
      const names = registries.map(({ name }) => name);
      if (config.current() !== current) {
        current = config.current();
        knownSinceMs = knownSince(knownSinceMs, { names, nowMs });
      }
      const wakeUps = await sweep({ ...store, registries: names, everyMs });
      if (wakeUps === undefined) return;
      const knownForMs = (name: string) => nowMs - (knownSinceMs.get(name) ?? nowMs);
      const overdue = await wakeOverdue({ ...store, registries, knownForMs, everyMs });
      if (wakeUps + overdue > 0) logger.info({ wakeUps, overdue }, 'wake-ups added by the sweep');
    },
  };
}
