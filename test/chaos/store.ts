import { readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ask,
  type Lifetime,
  type RedisServerHandle,
  startRedisServer,
  startReplicatedRedis,
  until,
} from '@syncline/test/support';
import { Redis } from 'ioredis';
import { z } from 'zod';

/** The Redis of the system under test, and its faults. */
export interface Store {
  /** The URL that processes use. */
  readonly url: string;
  /** All ports that a process connects to. */
  readonly ports: readonly number[];
  /** Returns the server that accepts writes now. */
  primary(): Promise<RedisServerHandle>;
  /**
   * Ends the primary and starts it again, with the data on its disk or without data. This works with and without
   * another server.
   */
  restart(options: { empty: boolean; awayMs: number }): Promise<void>;
  /** Calls the listener whenever another server has replaced the primary, planned or not. */
  onSwitch(listener: () => void): void;
  /** Waits until only one server accepts writes and the other server, if any, follows it. */
  settle(): Promise<void>;
  /**
   * Freezes the primary for this long. Resolves when Redis is available again. If there is another server, that
   * server has replaced the primary.
   */
  hang(forMs: number): Promise<void>;
  /**
   * Makes another server replace the primary. This server lacks the writes that the primary acknowledged last.
   * Absent if there is no other server.
   */
  readonly failOver?: () => Promise<void>;
}

/** Starts a store with one server. */
export async function startSingleStore(lifetime: Lifetime): Promise<Store> {
  const server = await startRedisServer({ lifetime });
  return {
    url: server.url,
    ports: [server.port],
    primary: async () => server,
    restart: async ({ empty, awayMs }) => {
      await server.kill();
      await sleep(awayMs);
      await server.start({ empty });
    },
    onSwitch: () => {},
    settle: async () => {},
    hang: async (forMs) => {
      server.pause();
      await sleep(forMs);
      server.resume();
    },
  };
}

/** How long a primary may be away before the sentinel replaces it. */
const DOWN_AFTER_MS = 1_500;
const LAG_MS = 1_500;
const SETTLED_WITHIN_MS = 300_000;

/** Starts a store with a primary, its replica and a sentinel. */
export async function startReplicatedStore(lifetime: Lifetime): Promise<Store> {
  const redis = await startReplicatedRedis({ lifetime, downAfterMs: DOWN_AFTER_MS });
  const servers = [...redis.nodes, ...redis.sentinels];
  return {
    url: redis.url,
    ports: servers.map(({ port }) => port),
    primary: () => redis.primary(),
    restart: async ({ empty, awayMs }) => {
      const [primary, replica] = [await redis.primary(), await redis.replica()];
      // Otherwise the replica would still have all data.
      if (empty) await replica.kill();
      await primary.kill();
      await sleep(awayMs);
      await primary.start({ empty });
      if (empty) await replica.start({ empty });
    },
    onSwitch: (listener) => {
      const [sentinel] = redis.sentinels;
      if (sentinel === undefined) throw new Error('there is no sentinel');
      const subscriber = new Redis(sentinel.url, { enableReadyCheck: false });
      lifetime.defer(() => subscriber.disconnect());
      subscriber.on('error', () => {});
      subscriber.on('message', listener);
      subscriber.subscribe('+switch-master').catch(() => {});
    },
    // With two failovers in a row, the sentinel can need longer than either of its own limits.
    settle: () =>
      until(() => redis.untilInSync().then(() => true), {
        what: 'one primary, and a replica that follows it',
        timeoutMs: SETTLED_WITHIN_MS,
      }).then(() => {}),
    hang: async (forMs) => {
      const old = await redis.primary();
      const isOverAtMs = performance.now() + forMs;
      old.pause();
      if (forMs > DOWN_AFTER_MS) await redis.untilFailedOver(old);
      await sleep(Math.max(0, isOverAtMs - performance.now()));
      old.resume();
    },
    failOver: async () => {
      await redis.holdReplicaBack();
      await sleep(LAG_MS);
      const old = await redis.killPrimary();
      await redis.untilFailedOver(old);
      await old.start();
    },
  };
}

/** A file to which each write fails because the device is full: see `full(4)`. */
const FULL_DEVICE = '/dev/full';
const AOF_DIRECTORY = 'appendonlydir';

/**
 * Leaves a server without disk space for its append-only file, until the returned function is called. Redis starts
 * a new file at each rewrite: the first new file is on a full disk, the second is not.
 */
export async function fillDisk(server: RedisServerHandle): Promise<() => Promise<void>> {
  const directory = await ask(server, (redis) => redis.config('GET', 'dir'));
  const [, place] = z.tuple([z.literal('dir'), z.string()]).parse(directory);
  const files = path.join(place, AOF_DIRECTORY);
  const numbers = (await readdir(files)).flatMap(
    (name) => /\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? [],
  );
  const next = Math.max(...numbers.map(Number)) + 1;
  await symlink(FULL_DEVICE, path.join(files, `appendonly.aof.${next}.incr.aof`));
  const rewrite = async () => void (await ask(server, (redis) => redis.bgrewriteaof()));
  await rewrite();
  return rewrite;
}

/** Leaves a server without memory for writes, until the returned function is called. */
export async function fillMemory(server: RedisServerHandle): Promise<() => Promise<void>> {
  const setMaximum = async (bytes: number) =>
    void (await ask(server, (redis) => redis.config('SET', 'maxmemory', bytes)));
  await setMaximum(1);
  return () => setMaximum(0);
}
