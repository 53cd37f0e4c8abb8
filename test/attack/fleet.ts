import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type RedisKeys, redisKeys } from '@syncline/contract';
import type { Redis } from '@syncline/redis';
import type { RedisSettings } from '@syncline/runtime/redis-server';
import { z } from 'zod';
import { createApiClient } from '../support/api-client.ts';
import { type ConfigFile, writeConfig } from '../support/config.ts';
import type { Lifetime } from '../support/lifetime.ts';
import { OPS_ENV, opsUrl } from '../support/ops.ts';
import { freePort } from '../support/ports.ts';
import { type ProcessHandle, startProcess } from '../support/processes.ts';
import { connect } from '../support/redis.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { PROGRAMS, startSystem, waitUntilReady } from '../support/system.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';
import { ADMIN_TOKEN, VARIABLES } from './contract.ts';
import type { Cores } from './cores.ts';
import type { RegistryInput } from './scenario.ts';

const PREFIX = 'attacked';

/** A process under attack. */
export interface AttackedProcess {
  readonly role: 'scheduler' | 'worker' | 'api' | 'up';
  readonly handle: ProcessHandle;
  readonly opsUrl: string;
}

/** The whole Syncline under attack. */
export interface AttackedFleet {
  readonly processes: readonly AttackedProcess[];
  /** The process ids of Redis, which do not count as memory of a process of Syncline. */
  readonly redisPid: number;
  readonly redisUrl: string;
  readonly apiUrl: string;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly config: ConfigFile;
  readonly dataDir: string;
  /** The environment of the processes, for more processes of the same installation. */
  readonly env: Readonly<Record<string, string>>;
}

export interface StartFleetOptions {
  readonly registries: readonly RegistryInput[];
  /** How the fleet gets its admin token. */
  readonly token: 'file' | 'none';
  /** Variables that the attack needs. */
  readonly env: Readonly<Record<string, string>>;
  /** Settings of the separate Redis. */
  readonly redisSettings: RedisSettings;
  /** Whether one `syncline up` takes the place of the separate processes. */
  readonly isUp: boolean;
  readonly cores: Cores;
  readonly directory: string;
  readonly lifetime: Lifetime;
}

/** Starts a scheduler, a worker and an api with default settings, or one `syncline up`. */
export async function startFleet(options: StartFleetOptions): Promise<AttackedFleet> {
  const { directory, cores } = options;
  const dataDir = path.join(directory, 'data');
  const tokenFile = path.join(directory, 'admin-token');
  await writeFile(tokenFile, ADMIN_TOKEN, { mode: 0o600 });
  const env = {
    ...OPS_ENV,
    LOG_LEVEL: 'info',
    SYNCLINE_PREFIX: PREFIX,
    SYNCLINE_DATA_DIR: dataDir,
    ...(options.token === 'none' ? {} : { [VARIABLES.adminTokenFile]: tokenFile }),
    ...options.env,
  };
  const start = options.isUp ? startUp : startSeparate;
  const fleet = await start({ ...options, env, dataDir });
  for (const { handle } of fleet.processes) cores.pinFleet(handle.pid);
  cores.pinFleet(fleet.redisPid);
  return fleet;
}

interface StartOptions extends StartFleetOptions {
  readonly dataDir: string;
}

async function startSeparate(options: StartOptions): Promise<AttackedFleet> {
  const { registries, redisSettings, env, dataDir, lifetime } = options;
  const redis = await startRedisServer({ lifetime, settings: () => redisSettings });
  const system = await startSystem({
    config: { registries: [...registries] },
    redisUrl: redis.url,
    prefix: PREFIX,
    workers: 1,
    env,
    lifetime,
  });
  const settle = async (role: AttackedProcess['role'], handle: ProcessHandle) => ({
    role,
    handle,
    opsUrl: await opsUrl(handle),
  });
  const processes = await Promise.all([
    ...system.schedulers.map((handle) => settle('scheduler', handle)),
    ...system.workers.map((handle) => settle('worker', handle)),
    settle('api', system.api),
  ]);
  return {
    processes,
    redisPid: redis.pid,
    redisUrl: redis.url,
    apiUrl: system.apiUrl,
    redis: connect(redis.url, lifetime),
    keys: redisKeys(PREFIX),
    config: system.config,
    dataDir,
    env: { ...env, REDIS_URL: redis.url, SYNCLINE_CONFIG: system.config.path },
  };
}

const redisFileSchema = z.looseObject({ url: z.string(), redisPid: z.int() });

async function startUp(options: StartOptions): Promise<AttackedFleet> {
  const { registries, env, dataDir, lifetime } = options;
  const config = await writeConfig({ registries: [...registries] }, lifetime);
  const port = await freePort();
  const apiUrl = `http://127.0.0.1:${port}`;
  const handle = await startProcess({
    name: 'up',
    entry: PROGRAMS.cli,
    args: ['up'],
    directory: config.directory,
    env: { ...env, SYNCLINE_CONFIG: config.path, PORT: String(port) },
    lifetime,
  });
  const started = await until(
    async () => {
      if (!handle.running) throw new Error(`up has ended:\n${handle.output.tail()}`);
      const text = await readFile(path.join(dataDir, 'redis.json'), 'utf8');
      return redisFileSchema.parse(JSON.parse(text));
    },
    { what: 'the Redis of up' },
  );
  await waitUntilReady(createApiClient({ url: apiUrl }));
  return {
    processes: [{ role: 'up', handle, opsUrl: await opsUrl(handle) }],
    redisPid: started.redisPid,
    redisUrl: started.url,
    apiUrl,
    redis: connect(started.url, lifetime),
    keys: redisKeys(PREFIX),
    config,
    dataDir,
    env: { ...env, REDIS_URL: started.url, SYNCLINE_CONFIG: config.path },
  };
}

/** Creates the directory for the files of a fleet. */
export async function fleetDirectory(lifetime: Lifetime): Promise<string> {
  const directory = path.join(await temporaryDirectory(lifetime), 'fleet');
  await mkdir(directory, { recursive: true });
  return directory;
}
