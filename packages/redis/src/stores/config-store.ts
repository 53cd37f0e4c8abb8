import {
  type Config,
  type ConfigInput,
  configSchema,
  jsonTextSchema,
  type Logger,
  type RegistryConfig,
  SynclineError,
  syncTargets,
} from '@syncline/contract';
import type { ConfigSource } from '@syncline/sync';
import { z } from 'zod';
import { type KeyAccess, toStoreError } from '../lua/lua-script.ts';

/** How long a replaced config stays, for processes that are about to read it. */
const REPLACED_CONFIG_TTL_S = 3_600;

/** A config in the form that people write, with its storage digest. */
export interface ConfigDocument {
  readonly input: ConfigInput;
  readonly digest: string;
}

/**
 * Puts a config in force: every process follows the pointer.
 *
 * @returns the edition of this config. {@link configEdition} is lower only if Redis has lost this config
 */
export async function publishConfig(
  { redis, keys }: KeyAccess,
  { input, digest }: ConfigDocument,
): Promise<number> {
  // `publishConfig` replaces a value of any type.
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
  // ioredis resolves even if Redis has rejected a command.
  for (const [error] of (await change.exec()) ?? []) if (error !== null) throw error;
  return edition;
}

/** Returns how many configs this Redis has put in force, as far as it remembers. */
export async function configEdition({ redis, keys }: KeyAccess): Promise<number> {
  if ((await redis.type(keys.configEdition)) !== 'string') return 0;
  const stored = await redis.get(keys.configEdition);
  return /^\d{1,15}$/.test(stored ?? '') ? Number(stored) : 0;
}

const documentSchema = jsonTextSchema.pipe(configSchema);

/** Follows the current config. */
export interface ConfigFollower extends ConfigSource {
  /** Returns the digest of the current config. */
  digest(): string | undefined;
}

/**
 * Follows the current config in Redis. If Redis has no valid config, the last valid config stays in force, because a
 * process must not drop registries when Redis loses its data.
 */
export function createConfigFollower({
  redis,
  keys,
  logger,
}: KeyAccess & { readonly logger: Logger }): ConfigFollower {
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
      const parsed = documentSchema.safeParse(document);
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

  /** Returns `null` also for a value of another type, and logs the reason once. The last valid config stays. */
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
