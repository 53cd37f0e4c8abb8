import { SynclineError } from '@syncline/contract';
import { type Env, type ProcessContext, type ReadEnvOptions, readEnv } from '@syncline/runtime';
import type { Command } from 'commander';
import { readRedisUrl } from './up/embedded-redis/redis-file.ts';

/** Returns the command line options that override the environment. */
export function envOptions(program: Command): ReadEnvOptions {
  const { config } = program.opts<{ config?: string }>();
  return { overrides: { SYNCLINE_CONFIG: config } };
}

export interface StoreEnv extends Env {
  readonly redisUrl: string;
}

/**
 * Reads the environment of a command that needs Redis.
 *
 * @throws SynclineError `config-invalid` if the environment does not set the URL of a Redis and no
 *   `syncline up` is running
 */
export async function readStoreEnv(program: Command): Promise<StoreEnv> {
  return withRedisUrl(readEnv(undefined, envOptions(program)));
}

/**
 * Returns the context. If the environment does not set the URL of a Redis, adds the URL of
 * the Redis that `syncline up` runs.
 */
export async function withStoreEnv(context: ProcessContext): Promise<ProcessContext> {
  return { ...context, env: await withRedisUrl(context.env) };
}

async function withRedisUrl(env: Env): Promise<StoreEnv> {
  const { dataDir } = env;
  const redisUrl = env.redisUrl ?? (await readRedisUrl(dataDir));
  if (redisUrl !== undefined) return { ...env, redisUrl };
  throw new SynclineError(
    'config-invalid',
    `no Redis found: REDIS_URL is not set, and \`syncline up\` does not run with the data directory ${dataDir}. Set REDIS_URL, or run \`syncline up\``,
  );
}
