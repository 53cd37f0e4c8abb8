import { once } from 'node:events';
import { chmod, mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SynclineError } from '@syncline/contract';
import type { Logger } from '@syncline/runtime';
import {
  findRedisServer,
  type RedisProcess,
  startRedisProcess,
} from '@syncline/runtime/redis-server';
import { tryLockDataDir } from './data-dir-lock.ts';
import { isAlive, readRedisFile, removeRedisFile, writeRedisFile } from './redis-file.ts';

export interface EmbeddedRedisOptions {
  /** Made if missing. One embedded Redis at a time runs on it. */
  readonly dataDir: string;
  /** Where a downloaded Redis is kept; by default `.cache` in the project. */
  readonly cacheDir?: string;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'error'>;
}

export interface EmbeddedRedis {
  readonly url: string;
  /** Ends Redis, which writes what it has, and frees the data directory. May be called again. */
  stop(): Promise<void>;
}

/** Redis writes its file and ends within this, once its parent is gone. */
const EARLIER_REDIS_TIMEOUT_MS = 10_000;
const RESTART_DELAY_MS = 1_000;

/**
 * Starts a Redis of our own on the data directory and writes where it listens to `redis.json` there.
 * It keeps an append-only file, listens on loopback only, is started again if it ends by itself, and
 * ends with this process, however this process ends.
 *
 * @throws SynclineError `store-unavailable` if the data directory is in use (it names the process), if
 * there is no Redis to be had, or if it does not start.
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const dataDir = resolve(options.dataDir);
  const directory = join(dataDir, 'redis');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const lock = tryLockDataDir(dataDir) ?? (await throwInUse(dataDir));
  try {
    await waitForEarlierRedis(dataDir);
    await writeRedisFile(dataDir, { pid: process.pid });
    const release = async () => {
      await removeRedisFile(dataDir);
      lock.release();
    };
    return await startAndKeep({ ...options, dataDir, directory, release });
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function throwInUse(dataDir: string): Promise<never> {
  const pid = (await readRedisFile(dataDir))?.pid;
  const holder = pid !== undefined && isAlive(pid) ? `the process ${pid}` : 'another process';
  throw new SynclineError(
    'store-unavailable',
    `the data directory ${dataDir} is in use by ${holder}: end it, or set SYNCLINE_DATA_DIR`,
  );
}

interface KeepOptions extends EmbeddedRedisOptions {
  readonly directory: string;
  readonly release: () => Promise<void>;
}

async function startAndKeep(options: KeepOptions): Promise<EmbeddedRedis> {
  const { cacheDir, dataDir, directory, logger, release } = options;
  const server = await findRedisServer({
    ...(cacheDir === undefined ? {} : { cacheDir }),
    onProgress: (line) => logger.info(line),
  });
  const start = async (port?: number): Promise<RedisProcess> => {
    const redis = await startRedisProcess({
      server,
      directory,
      ...(port === undefined ? {} : { port }),
      onOutput: (line) => logger.debug({ line }, 'redis'),
    });
    await writeRedisFile(dataDir, { pid: process.pid, url: redis.url, redisPid: redis.pid });
    logger.info({ url: redis.url, server: server.path }, 'embedded Redis is ready');
    return redis;
  };

  const stopping = new AbortController();
  let redis = await start();
  const keeping = (async () => {
    while (!stopping.signal.aborted) {
      const how = await redis.ended;
      if (stopping.signal.aborted) return;
      logger.error(`the embedded Redis ended by itself: ${how}; starting it again`);
      redis = (await restart(() => start(redis.port), { stopping, logger })) ?? redis;
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

/** Its URL is known to others, so it comes back on the same port or not at all. */
async function restart(
  start: () => Promise<RedisProcess>,
  context: { stopping: AbortController; logger: EmbeddedRedisOptions['logger'] },
): Promise<RedisProcess | undefined> {
  const { signal } = context.stopping;
  while (!signal.aborted) {
    await sleep(RESTART_DELAY_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return undefined;
    try {
      return await start();
    } catch (error) {
      context.logger.error(error);
    }
  }
  return undefined;
}

/** Whoever ran an earlier Redis was killed: Redis then ends by itself, but two must never share a file. */
async function waitForEarlierRedis(dataDir: string): Promise<void> {
  const { redisPid, url } = (await readRedisFile(dataDir)) ?? {};
  if (redisPid === undefined || url === undefined) return;
  const deadlineMs = Date.now() + EARLIER_REDIS_TIMEOUT_MS;
  // Both, for the process's id may be another's by now.
  while (isAlive(redisPid) && (await isListening(url))) {
    if (Date.now() > deadlineMs) {
      throw new SynclineError(
        'store-unavailable',
        `an earlier Redis still uses the data directory ${dataDir}: end the process ${redisPid}`,
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
