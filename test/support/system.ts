import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type ConfigFile, writeConfig } from './config.ts';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { freePort } from './ports.ts';
import { type ProcessHandle, startProcess } from './processes.ts';
import { freshPrefix, redisUrl } from './redis.ts';
import { until } from './until.ts';

/** The programs of the system, as `infra/build.mjs` bundles them. */
export const PROGRAMS = {
  scheduler: 'dist/scheduler.js',
  worker: 'dist/worker.js',
  api: 'dist/api.js',
  cli: 'dist/syncline.js',
} as const;
export type Program = keyof typeof PROGRAMS;

export interface SystemOptions {
  readonly config: ConfigInput;
  /** The URL of the Redis. Default: the Redis of the test run. */
  readonly redisUrl?: string;
  /** Returns the URL of the Redis for a process of its own login. Default: `redisUrl`. */
  readonly redisUrlOf?: (program: Program) => string;
  /** The key prefix. Default: a new prefix. */
  readonly prefix?: string;
  /** How many schedulers and workers to start. Default: one scheduler and two workers. */
  readonly schedulers?: number;
  readonly workers?: number;
  /** Variables for every process. They override the settings of the system. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether to wait until the api reports that it is ready. Default: true. */
  readonly awaitReady?: boolean;
  readonly lifetime?: Lifetime;
}

/** A scheduler, workers and an api as separate processes on one Redis. */
export interface System {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly config: ConfigFile;
  readonly schedulers: readonly ProcessHandle[];
  readonly workers: readonly ProcessHandle[];
  readonly api: ProcessHandle;
  readonly apiUrl: string;
  /** The admin token, which {@link client} sends. */
  readonly token: string;
  readonly client: ApiClient;
  /** Starts another process of the system, and waits until it has started. */
  start(program: Program, options?: StartOptions): Promise<ProcessHandle>;
}

export interface StartOptions {
  /**
   * The path of a program to start instead, relative to the project's root. It must be of the same
   * kind.
   */
  readonly entry?: string;
  readonly name?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

/** Starts the whole system. At the end of the test, all processes end and the keys are deleted. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { lifetime = testLifetime, schedulers = 1, workers = 2, awaitReady = true } = options;
  const url = options.redisUrl ?? redisUrl();
  const prefix = options.prefix ?? freshPrefix({ url, lifetime });
  const config = await writeConfig(options.config, lifetime);
  const port = await freePort();
  const apiUrl = `http://127.0.0.1:${port}`;
  const { tokenFile, token } = await provideToken(config.directory, options.env);

  const start = async (program: Program, startOptions: StartOptions = {}) => {
    const { name = program, entry = PROGRAMS[program], args = [], nodeArgs = [] } = startOptions;
    const started = await startProcess({
      name,
      entry,
      args,
      nodeArgs,
      directory: config.directory,
      env: {
        REDIS_URL: options.redisUrlOf?.(program) ?? url,
        SYNCLINE_PREFIX: prefix,
        SYNCLINE_CONFIG: config.path,
        SYNCLINE_ADMIN_TOKEN_FILE: tokenFile,
        LOG_LEVEL: 'debug',
        ...options.env,
        ...startOptions.env,
      },
      lifetime,
    });
    await started.waitForLog(({ msg }) => msg === 'started', {
      what: 'that it has started',
    });
    return started;
  };
  const startMany = (program: Program, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        start(program, { name: `${program}-${index + 1}` }),
      ),
    );

  const [startedSchedulers, startedWorkers, api] = await Promise.all([
    startMany('scheduler', schedulers),
    startMany('worker', workers),
    start('api', { env: { PORT: String(port) } }),
  ]);
  const client = createApiClient({ url: apiUrl, token });
  if (awaitReady) await waitUntilReady(client);
  return {
    redisUrl: url,
    prefix,
    config,
    schedulers: startedSchedulers,
    workers: startedWorkers,
    api,
    apiUrl,
    token,
    client,
    start,
  };
}

/** Returns the admin token that the environment names. Without one, makes one. */
async function provideToken(
  directory: string,
  env: SystemOptions['env'] = {},
): Promise<{ tokenFile: string; token: string }> {
  const named = env['SYNCLINE_ADMIN_TOKEN_FILE'];
  if (named !== undefined) {
    return { tokenFile: named, token: (await readFile(named, 'utf8')).trim() };
  }
  const tokenFile = path.join(directory, 'admin.token');
  const token = randomBytes(16).toString('hex');
  await writeFile(tokenFile, token);
  return { tokenFile, token };
}

/** Waits until the api reports that it is ready. */
export async function waitUntilReady(client: ApiClient): Promise<void> {
  await until(
    async (see) => {
      const { status, body } = await client.get('/readiness');
      see({ status, body });
      return status === 200;
    },
    { what: `readiness of ${client.url}` },
  );
}
