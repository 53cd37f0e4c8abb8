import { setImmediate } from 'node:timers/promises';
import {
  type Config,
  type ConfigInput,
  canonicalJson,
  digestOf,
  type Logger,
  parseConfigInSteps,
  type RegistryConfig,
  SynclineError,
  sha256,
  syncTargets,
} from '@syncline/contract';
import type { ConfigSource } from '@syncline/sync';
import { z } from 'zod';
import { type KeyAccess, luaScript, toStoreError } from '../lua/lua-script.ts';

/** How long a replaced config stays, for processes that are about to read it. */
const REPLACED_CONFIG_TTL_S = 3_600;

const publishConfigScript = luaScript('publish-config');

/** A config in the form that people write. */
export interface PublishedConfig {
  readonly input: ConfigInput;
}

/** What Redis says about the config in force. A missing or invalid value counts as ''. */
export interface ConfigState {
  /** The digest of the config in force. */
  readonly pointer: string;
  /** The value that grows with each config that is put in force. */
  readonly edition: string;
}

/** Reads the state in one step, because a scheduler must not see the pointer of one config and the edition of another. */
export async function readConfigState({ redis, keys }: KeyAccess): Promise<ConfigState> {
  const replies = (await redis.multi().get(keys.config).get(keys.configEdition).exec()) ?? [];
  const [pointer, edition] = replies.map(([error, value]) => {
    // A value of another type is not a config, and `publishOver` replaces it.
    if (error !== null && !error.message.startsWith('WRONGTYPE')) throw error;
    return typeof value === 'string' ? value : '';
  });
  return { pointer: pointer ?? '', edition: edition ?? '' };
}

/** Returns how many configs this Redis has put in force, as far as it remembers. */
export function editionOf({ edition }: ConfigState): number {
  return /^\d{1,15}$/.test(edition) ? Number(edition) : 0;
}

/**
 * Puts a config in force: every process follows the pointer.
 *
 * @returns the edition of this config. The stored edition is lower only if Redis has lost this config
 */
export async function publishConfig(access: KeyAccess, config: PublishedConfig): Promise<number> {
  for (;;) {
    const edition = await publishOver(access, config, await readConfigState(access));
    if (edition !== undefined) return edition;
  }
}

/** Puts a config in force if the state is still `before`. Returns its edition, or undefined. */
export async function publishOver(
  { redis, keys }: KeyAccess,
  { input }: PublishedConfig,
  before: ConfigState,
): Promise<number | undefined> {
  const digest = digestOf(input);
  const edition = 1 + editionOf(before);
  const names = [keys.config, keys.configEdition, keys.configDocument(digest)];
  if (before.pointer !== '' && before.pointer !== digest) {
    names.push(keys.configDocument(before.pointer));
  }
  const { pointer, edition: editionBefore } = before;
  const text = canonicalJson(input);
  const args = [pointer, editionBefore, edition, digest, text, REPLACED_CONFIG_TTL_S];
  return (await publishConfigScript(redis, names, args)) === 1 ? edition : undefined;
}

/** Returns whether a stored document is the config with this digest. */
export function isConfigDocument(text: string, digest: string): boolean {
  // A scheduler writes the canonical form. Older ones kept the order of the keys.
  if (sha256(text) === digest) return true;
  try {
    return digestOf(JSON.parse(text)) === digest;
  } catch {
    return false;
  }
}

const MISMATCH = 'config in Redis was changed by another program and is refused';

function mismatch(key: string) {
  const reason = `the value of ${key} does not have the digest in its key. The last valid config stays in force, and a scheduler restores the value. Find out which program wrote the key`;
  return { code: 'store-corrupt', reason } as const;
}

/** Follows the current config. */
export interface ConfigFollower extends ConfigSource {
  /** Returns the digest of the current config. */
  digest(): string | undefined;
}

/**
 * Follows the current config in Redis. A document must have the digest that the pointer names: this detects a document
 * that something else has changed. If Redis has no valid config, the last valid config stays in force, because a
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
  /** The scheduler may restore this document, so each refresh looks at it again. */
  let mismatched: string | undefined;
  let unreadable: string | undefined;
  let refreshedAtMs = Number.NEGATIVE_INFINITY;
  // Many requests for unknown names may ask for a refresh at once.
  const refreshOnce = oneAtATime(refresh);

  return {
    current: () => followed?.config,
    registry: (name) => followed?.targets.get(name),
    targets: () => [...(followed?.targets.values() ?? [])],
    digest: () => followed?.digest,
    async refresh({ maxAgeMs = 0 } = {}) {
      const nowMs = performance.now();
      if (nowMs - refreshedAtMs < maxAgeMs) return;
      refreshedAtMs = nowMs;
      await refreshOnce();
    },
  };

  async function refresh(): Promise<void> {
    const digest = await read(keys.config);
    if (digest === null || digest === followed?.digest || digest === refused) return;
    await follow(digest);
  }

  async function follow(digest: string): Promise<void> {
    const document = await read(keys.configDocument(digest));
    if (document === null) return;
    if (!isConfigDocument(document, digest)) {
      if (mismatched !== digest) logger.error(mismatch(keys.configDocument(digest)), MISMATCH);
      mismatched = digest;
      return;
    }
    mismatched = undefined;
    const parsed = await parseConfigInSteps(JSON.parse(document), () => setImmediate());
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
  }

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

/**
 * Returns a function that runs one call at a time. Callers during a call share the next one, so that each of them sees
 * what was true when it called.
 */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = () => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}
