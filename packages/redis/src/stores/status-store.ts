import {
  batchesOf,
  type Control,
  controlSchema,
  parseHash,
  type RedisKeys,
  SynclineError,
  type SyncStatus,
  statusFields,
  statusSchema,
} from '@syncline/contract';
import type { ConfigSource, StatusPersistence } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { luaScript, storeCall, toStoreError } from '../lua/lua-script.ts';

/** What Redis knows of registries, as of one moment by its own clock. */
export interface StoredRegistries {
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /**
   * One entry for each name asked for; a registry that never ran has a status all the same. One whose keys
   * hold what is not ours has the status Failed with `store-corrupt`, and hides no other.
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

/** So many registries are asked for at once, so that others are served in between. */
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

/** Redis's clock, epoch milliseconds. */
export async function redisNowMs(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}

const saveStatusScript = luaScript('save-status');

/** Status in Redis hashes, one a registry, for anyone to read; each write is fenced. */
export function createRedisStatusPersistence({
  redis,
  keys,
  config,
}: {
  redis: Redis;
  keys: RedisKeys;
  config: Pick<ConfigSource, 'targets'>;
}): StatusPersistence {
  const reader = createRegistryReader({ redis, keys });
  return {
    async load(registry) {
      const fields = await storeCall(redis, redis.hgetall(keys.status(registry)));
      return Object.keys(fields).length === 0 ? undefined : parseHash(statusSchema, fields).value;
    },

    async save(registry, changes, { expected }) {
      const { set, remove } = statusFields(changes);
      const fields = Object.entries(set);
      const reply = await saveStatusScript(
        redis,
        [keys.status(registry)],
        [expected ?? '', fields.length, ...fields.flat(), ...remove],
      );
      return reply === 1;
    },

    async list() {
      const names = config.targets().map(({ name }) => name);
      const { registries } = await reader.readMany(names);
      const statuses = new Map<string, SyncStatus>();
      for (const [name, { status }] of registries) {
        if (status.term !== undefined) statuses.set(name, status);
      }
      return statuses;
    },
  };
}
