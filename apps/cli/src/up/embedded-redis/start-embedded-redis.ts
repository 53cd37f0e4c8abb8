import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisPlace, SynclineError } from '@syncline/contract';
import { maxMemoryFor } from '@syncline/redis';
import type { Logger } from '@syncline/runtime';
import {
  findRedisServer,
  type RedisProcess,
  startRedisProcess,
} from '@syncline/runtime/redis-server';
import { tryLockDataDir } from './data-dir-lock.ts';
import { isAlive, readRedisFile, removeRedisFile, writeRedisFile } from './redis-file.ts';

export interface EmbeddedRedisOptions {
  /** The data directory, created if missing. Only one embedded Redis at a time can use it. */
  readonly dataDir: string;
  /** The directory for a downloaded Redis. Default: `.cache` in the project. */
  readonly cacheDir?: string;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'error'>;
  /** How many bytes of snapshots Redis must be able to store. `maxmemory` follows from it. */
  readonly storedBytes?: number | undefined;
}

export interface EmbeddedRedis {
  /** The URL, with the password. */
  readonly url: string;
  /** Ends Redis, which saves its data, and unlocks the data directory. Can be called more than once. */
  stop(): Promise<void>;
}

/** After its parent process has ended, Redis saves its data and ends within this time. */
const EARLIER_REDIS_TIMEOUT_MS = 10_000;
const RESTART_DELAY_MS = 1_000;
const PASSWORD_BYTES = 32;

/**
 * Starts a Redis on the data directory and writes its URL to `redis.json` there. This Redis keeps an
 * append-only file and listens only on loopback. It has a new random password at each start of this function,
 * because every local user can reach loopback, and only the owner can read `redis.json`. If Redis ends unexpectedly, this function restarts it.
 * Redis ends with this process, even if this process is killed.
 *
 * @throws SynclineError `store-unavailable` if the data directory is in use (the message names the
 *   process), if no Redis is found, or if Redis does not start
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const dataDir = resolve(options.dataDir);
  const directory = join(dataDir, 'redis');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Not the data directory itself: the user may share an existing folder with others.
  await chmod(directory, 0o700);
  const unlock = tryLockDataDir(dataDir) ?? (await throwInUse(dataDir));
  try {
    await waitForEarlierRedis(dataDir);
    await writeRedisFile(dataDir, { pid: process.pid });
    const release = async () => {
      await removeRedisFile(dataDir);
      unlock();
    };
    return await startAndKeep({ ...options, dataDir, directory, release });
  } catch (error) {
    unlock();
    throw error;
  }
}

const MOST_DEFAULT_STORED_BYTES = 2 * 1024 ** 3;

/** Leaves most memory to the processes beside Redis. */
function defaultStoredBytes(): number {
  const limit = process.constrainedMemory();
  // Without a limit, Node.js returns 0 or a huge number.
  const memoryBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.min(MOST_DEFAULT_STORED_BYTES, Math.floor(memoryBytes / 4));
}

async function throwInUse(dataDir: string): Promise<never> {
  const pid = (await readRedisFile(dataDir))?.pid;
  const holder = pid !== undefined && isAlive(pid) ? `process ${pid}` : 'another process';
  throw new SynclineError(
    'store-unavailable',
    `${holder} uses the data directory ${dataDir}. Stop that process, or set SYNCLINE_DATA_DIR to another directory`,
  );
}

interface KeepOptions extends EmbeddedRedisOptions {
  readonly directory: string;
  readonly release: () => Promise<void>;
}

async function startAndKeep(options: KeepOptions): Promise<EmbeddedRedis> {
  const { cacheDir, dataDir, directory, logger, release, storedBytes } = options;
  const server = await findRedisServer({
    ...(cacheDir === undefined ? {} : { cacheDir }),
    onProgress: (line) => logger.info(line),
  });
  const password = randomBytes(PASSWORD_BYTES).toString('hex');
  const start = async (port?: number): Promise<RedisProcess> => {
    const redis = await startRedisProcess({
      server,
      directory,
      password,
      settings: { maxmemory: String(maxMemoryFor(storedBytes ?? defaultStoredBytes())) },
      ...(port === undefined ? {} : { port }),
      onOutput: (line) => logger.debug({ line }, 'redis'),
    });
    await writeRedisFile(dataDir, { pid: process.pid, url: redis.url, redisPid: redis.pid });
    logger.info({ url: redisPlace(redis.url), server: server.path }, 'embedded Redis is ready');
    return redis;
  };

  const stopping = new AbortController();
  const { signal } = stopping;
  let redis = await start();
  const keeping = (async () => {
    while (!signal.aborted) {
      const how = await redis.ended;
      if (signal.aborted) return;
      logger.error(`the embedded Redis ended unexpectedly: ${how}; restarting it`);
      redis = (await restart(() => start(redis.port), { signal, logger })) ?? redis;
    }
  })();
  const stop = async () => {
    stopping.abort();
    await redis.stop();
    await keeping;
    await redis.stop();
    await release();
  };
  let stopped: Promise<void> | undefined;
  return {
    url: redis.url,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Restarts Redis on the same port, because other processes know its URL. */
async function restart(
  start: () => Promise<RedisProcess>,
  { signal, logger }: { signal: AbortSignal; logger: EmbeddedRedisOptions['logger'] },
): Promise<RedisProcess | undefined> {
  for (;;) {
    await sleep(RESTART_DELAY_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return undefined;
    try {
      return await start();
    } catch (error) {
      logger.error(error);
    }
  }
}

/**
 * Waits until the Redis of a killed `syncline up` has ended. Two Redis processes must never share a file.
 */
async function waitForEarlierRedis(dataDir: string): Promise<void> {
  const { redisPid, url } = (await readRedisFile(dataDir)) ?? {};
  if (redisPid === undefined || url === undefined) return;
  const deadlineMs = Date.now() + EARLIER_REDIS_TIMEOUT_MS;
  // Another process may have the same id by now, so the loop also checks the address.
  while (isAlive(redisPid) && (await isListening(url))) {
    if (Date.now() > deadlineMs) {
      throw new SynclineError(
        'store-unavailable',
        `an earlier Redis still uses the data directory ${dataDir}. Stop the process ${redisPid}`,
      );
    }
    await sleep(50);
  }
}

function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  return once(socket, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}
