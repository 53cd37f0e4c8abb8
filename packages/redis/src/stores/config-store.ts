import {
  type Config,
  type ConfigInput,
  configSchema,
  type Logger,
  type RedisKeys,
  type RegistryConfig,
  SynclineError,
  syncTargets,
} from '@syncline/contract';
import type { ConfigSource } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { toStoreError } from '../lua/lua-script.ts';
import { execute } from '../recovery/registry-index.ts';

/** How long a replaced config is kept, for processes that are about to read it. */
const REPLACED_CONFIG_TTL_S = 3_600;

/** A config in the form that people write, and the digest that it is stored under. */
export interface ConfigDocument {
  readonly input: ConfigInput;
  readonly digest: string;
}

/**
 * Puts a config in force: every process follows the pointer.
 *
 * @returns its edition. {@link configEdition} is lower only if Redis has lost this config
 */
export async function publishConfig(
  { redis, keys }: { redis: Redis; keys: RedisKeys },
  { input, digest }: ConfigDocument,
): Promise<number> {
  // Replaces a value of any type.
  const before = (await redis.type(keys.config)) === 'string' ? await redis.get(keys.config) : null;
  const edition = 1 + (await configEdition({ redis, keys }));
  const change = redis
    .multi()
    .set(keys.configDocument(digest), JSON.stringify(input))
    .set(keys.configEdition, edition)
    .set(keys.config, digest);
  if (before !== null && before !== digest) {
    change.expire(keys.configDocument(before), REPLACED_CONFIG_TTL_S);
  }
  await execute(change);
  return edition;
}

/** Returns how many configs have been put in force, as far as this Redis knows. */
export async function configEdition({
  redis,
  keys,
}: {
  redis: Redis;
  keys: RedisKeys;
}): Promise<number> {
  if ((await redis.type(keys.configEdition)) !== 'string') return 0;
  const stored = await redis.get(keys.configEdition);
  return /^\d{1,15}$/.test(stored ?? '') ? Number(stored) : 0;
}

/** Follows the config in force. */
export interface ConfigFollower extends ConfigSource {
  /** Of the config last read. */
  digest(): string | undefined;
}

/**
 * Follows the config in force in Redis. If Redis has no config, or an invalid one, the last valid config stays in
 * force: a Redis that lost its data must not make a process drop registries.
 */
export function createConfigFollower({
  redis,
  keys,
  logger,
}: {
  redis: Redis;
  keys: RedisKeys;
  logger: Logger;
}): ConfigFollower {
  let followed:
    | { digest: string; config: Config; targets: Map<string, RegistryConfig> }
    | undefined;
  let refused: string | undefined;
  let unreadable: string | undefined;
  let refreshedAtMs = Number.NEGATIVE_INFINITY;

  return {
    current: () => followed?.config,
    registry: (name) => followed?.targets.get(name),
    targets: () => [...(followed?.targets.values() ?? [])],
    digest: () => followed?.digest,
    async refresh({ maxAgeMs = 0 } = {}) {
      const nowMs = performance.now();
      if (nowMs - refreshedAtMs < maxAgeMs) return;
      refreshedAtMs = nowMs;
      const digest = await read(keys.config);
      if (digest === null || digest === followed?.digest || digest === refused) return;
      const document = await read(keys.configDocument(digest));
      if (document === null) return;
      const parsed = configSchema.safeParse(parseJson(document));
      if (parsed.success) {
        const targets = new Map(syncTargets(parsed.data).map((target) => [target.name, target]));
        followed = { digest, config: parsed.data, targets };
        logger.info({ digest, registries: targets.size }, 'following a new config');
        return;
      }
      refused = digest;
      logger.error(
        { digest, problems: z.prettifyError(parsed.error) },
        'config in Redis is invalid for this version',
      );
    },
  };

  /** Returns `null` also for a value of another type: the last valid config stays, and the log says why, once. */
  async function read(key: string): Promise<string | null> {
    try {
      const text = await redis.get(key);
      if (key === unreadable) unreadable = undefined;
      return text;
    } catch (cause) {
      const error = await toStoreError(redis, cause);
      if (!(error instanceof SynclineError)) throw error;
      const { code, message: reason } = error;
      if (key !== unreadable) logger.error({ code, reason }, 'config in Redis is unreadable');
      unreadable = key;
      return null;
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
