import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SynclineError } from '@syncline/contract';
import { fetchRedisPackages, findFetchedRedis } from './debian-packages.ts';

const run = promisify(execFile);

/** A program, and the variables that it needs in addition to the environment. */
export interface RedisServer {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface FindRedisServerOptions {
  /** The folder of downloaded programs. Default: `.cache` in the project. */
  readonly cacheDir?: string;
  /** The directories to search, in the form of PATH. Default: PATH. */
  readonly path?: string;
  /** Called with one line of text for each slow step. */
  readonly onProgress?: (line: string) => void;
}

/** The folder `.cache` beside the project's `package.json`. */
export const PROJECT_CACHE_DIR = fileURLToPath(new URL('../../../../.cache', import.meta.url));

/** The oldest version that BullMQ supports. Valkey began at 7.2, so every Valkey is recent enough. */
const LEAST_REDIS_VERSION = [6, 2] as const;

/**
 * Finds a Redis server: `redis-server` or `valkey-server` on the PATH, or one that was unpacked earlier. Otherwise, on
 * Debian and Ubuntu, downloads and unpacks their packages, without installing anything.
 *
 * @throws SynclineError `store-unavailable`, with advice what to install
 */
export async function findRedisServer(options: FindRedisServerOptions = {}): Promise<RedisServer> {
  const { cacheDir = PROJECT_CACHE_DIR, path = process.env['PATH'] ?? '', onProgress } = options;
  const packagesDir = join(cacheDir, 'redis');
  const found = (await findOnPath(path)) ?? (await findFetchedRedis(packagesDir));
  if (found !== undefined) return found;
  const problem = await fetchRedisPackages(packagesDir, onProgress).then(
    () => 'the redis-server from the Debian packages does not start',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const fetched = await findFetchedRedis(packagesDir);
  if (fetched !== undefined) return fetched;
  throw new SynclineError(
    'store-unavailable',
    `no redis-server found: ${problem}. Install Redis 6.2 or newer, install Valkey, or set REDIS_URL`,
  );
}

async function findOnPath(path: string): Promise<RedisServer | undefined> {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const directory of path.split(delimiter)) {
      const file = join(directory, name);
      if (directory !== '' && (await isExecutable(file)) && (await isRecent(file))) {
        return { path: file, env: {} };
      }
    }
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function isRecent(file: string): Promise<boolean> {
  const version = await run(file, ['--version']).catch(() => undefined);
  const [, major, minor] = / v=(\d+)\.(\d+)/.exec(version?.stdout ?? '') ?? [];
  if (major === undefined || minor === undefined) return false;
  const [leastMajor, leastMinor] = LEAST_REDIS_VERSION;
  return (
    Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor)
  );
}
