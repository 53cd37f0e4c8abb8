import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RedisServer } from './find-redis-server.ts';

const run = promisify(execFile);

/** apt lists all packages that are missing on this machine. This pattern matches those that Redis may need. */
const WANTED = /^(redis-server|redis-tools|lib(?!c6$)[a-z0-9.+-]+)$/;
/** The packages to try if apt cannot make a plan because some packages of this machine are only partly installed. */
const ALWAYS_WANTED = ['libatomic1', 'libjemalloc2', 'liblzf1', 'redis-server', 'redis-tools'];

/** Returns the Redis that {@link fetchRedisPackages} unpacked in `directory`, if it exists and starts. */
export async function findFetchedRedis(directory: string): Promise<RedisServer | undefined> {
  const root = join(directory, 'root');
  const libraries = await Promise.all(
    ['usr/lib', 'lib'].map((lib) => architectures(join(root, lib))),
  );
  const server: RedisServer = {
    path: join(root, 'usr/bin/redis-server'),
    env: { LD_LIBRARY_PATH: libraries.flat().join(':') },
  };
  return run(server.path, ['--version'], { env: server.env }).then(
    () => server,
    () => undefined,
  );
}

/** Returns the subfolders of `lib` that contain libraries, such as `x86_64-linux-gnu`. */
async function architectures(lib: string): Promise<string[]> {
  const names = await readdir(lib).catch(() => []);
  return names.filter((name) => name.includes('-linux-gnu')).map((name) => join(lib, name));
}

/**
 * Downloads the Debian packages of Redis with apt and unpacks them in `directory`. Needs no root rights and does not
 * change the machine, because the lists and the cache of apt are also in `directory`. apt checks the packages against the
 * signed lists of the machine's sources.
 */
export async function fetchRedisPackages(
  directory: string,
  onProgress: (line: string) => void = () => {},
): Promise<void> {
  await run('apt-get', ['--version']).catch((cause: unknown) => {
    throw new Error('apt-get is not installed', { cause });
  });
  await mkdir(directory, { recursive: true });
  // Works in a separate directory and moves the complete result, because other processes may do the same.
  const work = await mkdtemp(join(directory, 'fetch-'));
  try {
    onProgress('downloading redis-server from the Debian packages…');
    const apt = await prepareApt(work);
    // Ignores the exit status, because apt fails if a single third-party source is unavailable.
    await apt(['update']).catch(() => {});
    await apt(['download', ...(await missingPackages(apt))]).catch((cause: unknown) => {
      throw new Error(`apt could not download the package${firstError(cause)}`, { cause });
    });
    for (const file of await readdir(work)) {
      if (file.endsWith('.deb'))
        await run('dpkg-deb', ['-x', join(work, file), join(work, 'root')]);
    }
    await moveIntoPlace(join(work, 'root'), join(directory, 'root'));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

type Apt = (args: readonly string[]) => Promise<string>;

async function prepareApt(work: string): Promise<Apt> {
  const state = join(work, 'apt');
  const settings = [
    `Dir::State=${state}`,
    `Dir::State::lists=${join(state, 'lists')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    // With the machine's package status, apt does not download installed packages.
    'Dir::State::status=/var/lib/dpkg/status',
    // By default, apt run by root downloads as another user, who has no write access here.
    'APT::Sandbox::User=root',
    // By default, apt checks signatures, but some machines disable this check. We would then run what anyone sends.
    'Acquire::AllowInsecureRepositories=false',
    'APT::Get::AllowUnauthenticated=false',
    'Acquire::Languages=none',
    'Acquire::http::Timeout=30',
    'Acquire::https::Timeout=30',
  ];
  await mkdir(join(state, 'lists/partial'), { recursive: true });
  await mkdir(join(state, 'cache/archives/partial'), { recursive: true });
  return async (args) => {
    const options = { cwd: work, env: { ...process.env, LC_ALL: 'C' } };
    const { stdout } = await run(
      'apt-get',
      ['-q', ...settings.flatMap((setting) => ['-o', setting]), ...args],
      options,
    );
    return stdout;
  };
}

/**
 * Returns the packages that an installation of Redis would add. Asks apt, because names differ between releases
 * (libssl3, libssl3t64).
 */
async function missingPackages(apt: Apt): Promise<string[]> {
  const plan = await apt([
    '--simulate',
    '--no-install-recommends',
    'install',
    'redis-server',
  ]).catch(() => '');
  const planned = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name ?? '');
  return [...new Set([...ALWAYS_WANTED, ...planned.filter((name) => WANTED.test(name))])];
}

/** Returns the first error of apt. */
function firstError(error: unknown): string {
  const line = error instanceof Error ? /^E: (.+)$/m.exec(error.message)?.[1] : undefined;
  return line === undefined ? '' : `: ${line}`;
}

async function moveIntoPlace(from: string, to: string): Promise<void> {
  await rename(from, to).catch(async () => {
    // Either another process was first, or the existing Redis does not start. A Redis that starts is kept.
    if ((await findFetchedRedis(join(to, '..'))) !== undefined) return;
    await rm(to, { recursive: true, force: true });
    await rename(from, to);
  });
}
