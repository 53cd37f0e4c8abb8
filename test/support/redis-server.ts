import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  findRedisServer,
  type RedisProcess,
  type RedisSettings,
  startRedisProcess,
} from '@syncline/runtime/redis-server';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { freePort } from './ports.ts';
import { temporaryDirectory } from './temporary.ts';

export interface RedisServerOptions {
  /** The port. Default: a free port. */
  readonly port?: number;
  /** The folder of the append-only file. Default: a directory that is removed after the test. */
  readonly directory?: string;
  /** Called at each start. Returns settings that override those of `syncline up`. */
  readonly settings?: () => Promise<RedisSettings> | RedisSettings;
  /** Starts a sentinel instead, with this initial content of its file. */
  readonly sentinel?: string;
  readonly lifetime?: Lifetime;
}

/** A Redis that only one test uses, so the test may damage it. */
export interface RedisServerHandle {
  /** The URL. It stays the same after a restart. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Whether the process exists, even if it is paused. */
  readonly running: boolean;
  /** Kills Redis. Data that is not on disk yet is lost. */
  kill(): Promise<void>;
  /** Stops Redis, which writes its data first. */
  stop(): Promise<void>;
  /** Starts Redis again on the same port, after `kill` or `stop`. */
  start(options?: { readonly empty?: boolean }): Promise<void>;
  /** Freezes Redis: connections stay open, and commands get no answer. */
  pause(): void;
  resume(): void;
}

/** Starts a Redis with the settings of `syncline up`. It ends with the test. */
export async function startRedisServer(
  options: RedisServerOptions = {},
): Promise<RedisServerHandle> {
  const { lifetime = testLifetime, settings = () => ({}), sentinel } = options;
  const server = await findRedisServer();
  const directory = options.directory ?? path.join(await temporaryDirectory(lifetime), 'redis');
  const port = options.port ?? (await freePort());

  const launch = async () => {
    await mkdir(directory, { recursive: true });
    const sentinelFile = path.join(directory, 'sentinel.conf');
    if (sentinel !== undefined) await writeIfNone(sentinelFile, sentinel);
    return startRedisProcess({
      server,
      directory,
      port,
      settings: await settings(),
      ...(sentinel === undefined ? {} : { sentinelFile }),
    });
  };
  let redis: RedisProcess = await launch();
  let running = true;
  const signal = (name: NodeJS.Signals) => process.kill(redis.pid, name);
  const end = async (how: () => Promise<unknown> | unknown) => {
    if (!running) return;
    running = false;
    await how();
    await redis.ended;
  };
  const kill = () => end(() => signal('SIGKILL'));
  lifetime.defer(kill);

  return {
    url: redis.url,
    port,
    get pid() {
      return redis.pid;
    },
    get running() {
      return running;
    },
    kill,
    stop: () => end(() => redis.stop()),
    start: async ({ empty = false } = {}) => {
      if (running) throw new Error('this Redis is running');
      if (empty) await rm(directory, { recursive: true, force: true });
      redis = await launch();
      running = true;
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
  };
}

async function writeIfNone(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}
