import { batchesOf, type Config, type Logger, type RecurringTask } from '@syncline/contract';
import { z } from 'zod';
import { type KeyAccess, luaScript } from '../lua/lua-script.ts';
import { addWakeUp, type SyncQueue } from '../queue/queue.ts';
import type { Store } from '../stores/open-store.ts';
import { countStoredBytes } from '../stores/stored-bytes.ts';
import { wakeOverdue } from './overdue.ts';

/** Returns when each current name became known. A new config does not reset the time of a known name. */
export function knownSince(
  before: ReadonlyMap<string, number>,
  { names, nowMs }: { names: readonly string[]; nowMs: number },
): ReadonlyMap<string, number> {
  return new Map(names.map((name) => [name, before.get(name) ?? nowMs]));
}

/** A batch takes Redis less than a millisecond. With batches of 250, ticks were up to 90 ms late. */
const BATCH_SIZE = 50;

const findNeglectedScript = luaScript('find-neglected');
const neglectedReply = z.array(z.union([z.string(), z.number()]));

export interface SweepOptions extends KeyAccess {
  readonly queue: SyncQueue;
  readonly registries: readonly string[];
  /** The name of this process among the sweeping processes. */
  readonly owner: string;
  /** The whole fleet sweeps once in this time. */
  readonly everyMs: number;
}

/**
 * Adds a wake-up for each run whose lease has expired before the run ended, and for each open request without a run.
 *
 * @returns the number of added wake-ups, or `undefined` if another process has the turn
 */
export async function sweep(options: SweepOptions): Promise<number | undefined> {
  const { redis, keys, queue, registries, owner, everyMs } = options;
  // Slightly shorter than the period, so that the same process can also take the next turn.
  const turn = await redis.set(keys.sweepTurn, owner, 'PX', Math.ceil(everyMs * 0.9), 'NX');
  if (turn === null) {
    // Syncline sets every turn with an expiry. A turn without expiry would block all later sweeps.
    if ((await redis.pttl(keys.sweepTurn)) === -1) await redis.unlink(keys.sweepTurn);
    return undefined;
  }
  let wakeUps = 0;
  for (const batch of batchesOf(registries, BATCH_SIZE)) {
    for (const { registry, term, request } of await findNeglected({ redis, keys }, batch)) {
      if (term !== undefined) await addWakeUp(queue, { kind: 'interrupted', registry, term });
      if (request !== undefined) await addWakeUp(queue, { kind: 'request', registry, request });
      wakeUps += (term === undefined ? 0 : 1) + (request === undefined ? 0 : 1);
    }
  }
  return wakeUps;
}

/** A registry that needs a wake-up. */
export interface Neglected {
  readonly registry: string;
  /** The term of a run whose lease has expired before the run ended. */
  readonly term: string | undefined;
  /** The number of the last open request. */
  readonly request: number | undefined;
}

/** Returns the given registries that need a wake-up. */
export async function findNeglected(
  { redis, keys }: KeyAccess,
  registries: readonly string[],
): Promise<Neglected[]> {
  const names = registries.flatMap((name) => [keys.status(name), keys.control(name)]);
  const flat = neglectedReply.parse(await findNeglectedScript(redis, names, []));
  return [...batchesOf(flat, 3)].map(([number, term, request]) => ({
    registry: registries[Number(number) - 1] ?? '',
    term: term === '' ? undefined : String(term),
    request: request === 0 ? undefined : Number(request),
  }));
}

/** How often the fleet sweeps. After a kill, recovery starts at most this time plus the 12 s of a lease later. */
const SWEEP_EVERY_MS = 4_000;

export interface SweeperOptions {
  readonly store: Pick<Store, 'redis' | 'keys' | 'queue' | 'owner' | 'config'>;
  readonly logger: Logger;
}

/**
 * If this process has the turn, adds wake-ups for interrupted runs, open requests and overdue registries. Also counts the
 * stored bytes of registries without a count.
 */
export function createSweeper({ store, logger }: SweeperOptions): RecurringTask {
  const { config } = store;
  const everyMs = SWEEP_EVERY_MS;
  let current: Config | undefined;
  let countedConfig: Config | undefined;
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
      // Counts are missing after an upgrade, so one look at each config is enough.
      if (countedConfig !== current) await countStoredBytes(store, names);
      countedConfig = current;
      const knownForMs = (name: string) => nowMs - (knownSinceMs.get(name) ?? nowMs);
      const overdue = await wakeOverdue({ ...store, registries, knownForMs, everyMs });
      if (wakeUps + overdue > 0) logger.info({ wakeUps, overdue }, 'wake-ups added by the sweep');
    },
  };
}
