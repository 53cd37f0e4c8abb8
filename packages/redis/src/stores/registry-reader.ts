import {
  type Control,
  controlSchema,
  mapInBatches,
  parseHash,
  parseRunEntry,
  type Run,
  SynclineError,
  type SyncStatus,
  statusSchema,
} from '@syncline/contract';
import type { Redis } from 'ioredis';
import { type KeyAccess, storeCall, toStoreError } from '../lua/lua-script.ts';

/** The state of registries in Redis at one moment of Redis's clock. */
export interface StoredRegistries {
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /**
   * One entry for each requested name, even if the registry has never run. If a registry's keys hold invalid values,
   * the registry has the status Failed with `store-corrupt`, and the others stay readable.
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

/**
 * How many registries one batch reads. Between two batches, Redis serves other clients, and this process handles other
 * events: parsing a batch takes several milliseconds.
 */
const BATCH_SIZE = 100;

export function createRegistryReader({ redis, keys }: KeyAccess): RegistryReader {
  return {
    async readMany(names) {
      const nowMs = await redisNowMs(redis);
      const entries = await mapInBatches(names, BATCH_SIZE, async (name) => {
        const registry = await readOne(name).catch((error: unknown) => describe(error));
        return [name, registry] as const;
      });
      return { nowMs, registries: new Map(entries) };
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

export type RunLog = ReturnType<typeof createRunLog>;

export function createRunLog({ redis, keys }: KeyAccess) {
  return {
    /**
     * Returns runs of a registry, newest first.
     *
     * @param options.before a term; returns only runs older than this one
     */
    async list(
      registry: string,
      { before, limit }: { before?: string; limit: number },
    ): Promise<{ runs: Run[]; next?: string }> {
      // One entry more than requested shows whether there are further runs.
      const end = before === undefined ? '+' : `(${before}-0`;
      const reply = redis.xrevrange(keys.runs(registry), end, '-', 'COUNT', limit + 1);
      const entries = await storeCall(redis, reply);
      const page = entries.slice(0, limit);
      const runs = page.flatMap(([, fields]) => parseRunEntry(fields) ?? []);
      const [lastTerm] = page.at(-1)?.[0].split('-') ?? [];
      return entries.length > limit && lastTerm !== undefined ? { runs, next: lastTerm } : { runs };
    },

    async get(registry: string, term: string): Promise<Run | undefined> {
      const reply = redis.xrange(keys.runs(registry), `${term}-0`, `${term}-0`);
      const [entry] = await storeCall(redis, reply);
      return entry === undefined ? undefined : parseRunEntry(entry[1]);
    },
  };
}
