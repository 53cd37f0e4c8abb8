import {
  batchesOf,
  type Control,
  controlSchema,
  parseHash,
  parseRunEntry,
  type RedisKeys,
  type Run,
  SynclineError,
  type SyncStatus,
  statusSchema,
} from '@syncline/contract';
import type { Redis } from 'ioredis';
import { storeCall, toStoreError } from '../lua/lua-script.ts';

/** What Redis has about registries, at one moment by its own clock. */
export interface StoredRegistries {
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /**
   * One entry for each name asked for, also for a registry that never ran. A registry whose keys hold invalid
   * values has the status Failed with `store-corrupt`. The others are not affected.
   */
  readonly registries: Map<string, StoredRegistry>;
}

interface StoredRegistry {
  readonly status: SyncStatus;
  readonly control: Control;
}

export interface RegistryReader {
  readMany(names: readonly string[]): Promise<StoredRegistries>;
}

/** Registries that are read at once. Redis serves other clients between two batches. */
const BATCH_SIZE = 500;

export function createRegistryReader({
  redis,
  keys,
}: {
  redis: Redis;
  keys: RedisKeys;
}): RegistryReader {
  return {
    async readMany(names) {
      const nowMs = await redisNowMs(redis);
      const registries: StoredRegistries['registries'] = new Map();
      for (const batch of batchesOf(names, BATCH_SIZE)) {
        const stored = await Promise.all(
          batch.map((name) => readOne(name).catch((error: unknown) => describe(error))),
        );
        for (const [index, name] of batch.entries()) {
          const registry = stored[index];
          if (registry !== undefined) registries.set(name, registry);
        }
      }
      return { nowMs, registries };
    },
  };

  async function readOne(name: string): Promise<StoredRegistry> {
    const [status, control] = await Promise.all([
      redis.hgetall(keys.status(name)),
      redis.hgetall(keys.control(name)),
    ]);
    return {
      status: parseHash(statusSchema, status).value,
      control: parseHash(controlSchema, control).value,
    };
  }

  async function describe(cause: unknown): Promise<StoredRegistry> {
    const error = await toStoreError(redis, cause);
    if (!(error instanceof SynclineError) || error.code !== 'store-corrupt') throw error;
    const { code: errorCode, message } = error;
    return {
      status: statusSchema.parse({ phase: 'Failed', errorCode, message }),
      control: controlSchema.parse({}),
    };
  }
}

/** Returns the time by Redis's clock, in epoch milliseconds. */
export async function redisNowMs(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}

/** The runs of a registry, newest first. */
export interface RunLog {
  /** @param options.before a term: only runs older than this one */
  list(
    registry: string,
    options: { before?: string; limit: number },
  ): Promise<{ runs: Run[]; next?: string }>;
  get(registry: string, term: string): Promise<Run | undefined>;
}

export function createRunLog({ redis, keys }: { redis: Redis; keys: RedisKeys }): RunLog {
  return { list, get };

  async function list(registry: string, { before, limit }: { before?: string; limit: number }) {
    // One more than asked for tells whether there are more.
    const end = before === undefined ? '+' : `(${before}-0`;
    const reply = redis.xrevrange(keys.runs(registry), end, '-', 'COUNT', limit + 1);
    const entries = await storeCall(redis, reply);
    const page = entries.slice(0, limit);
    const runs = page.map(([, fields]) => parseRunEntry(fields)).filter((run) => run !== undefined);
    const [lastTerm] = page.at(-1)?.[0].split('-') ?? [];
    return entries.length > limit && lastTerm !== undefined ? { runs, next: lastTerm } : { runs };
  }

  async function get(registry: string, term: string) {
    const reply = redis.xrange(keys.runs(registry), `${term}-0`, `${term}-0`);
    const [entry] = await storeCall(redis, reply);
    return entry === undefined ? undefined : parseRunEntry(entry[1]);
  }
}
