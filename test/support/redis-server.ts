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
  /** By default a free one. */
  readonly port?: number;
  /** The folder of its append-only file; by default a directory that is removed after the test. */
  readonly directory?: string;
  /** Called at each start for settings that override those of `syncline up`. */
  readonly settings?: () => Promise<RedisSettings> | RedisSettings;
  /** Makes it a sentinel, with this first version of its file. */
  readonly sentinel?: string;
  readonly lifetime?: Lifetime;
}

/** A Redis for one test alone, which may damage it. */
export interface RedisServerHandle {
  /** The same after a restart. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Also while it is paused. */
  readonly running: boolean;
  /** Kills it: data that is not on the disk yet is lost. */
  kill(): Promise<void>;
  /** Lets it write its data, and end. */
  stop(): Promise<void>;
  /** Starts it again at the same port, after `kill` or `stop`. */
  start(options?: { readonly empty?: boolean }): Promise<void>;
  /** Freezes it: connections stay, and answers do not come. */
  pause(): void;
  resume(): void;
}

/** Starts a Redis of the kind that `syncline up` starts. It ends with the test. */
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
