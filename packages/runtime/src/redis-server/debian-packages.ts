import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RedisServer } from './find-redis-server.ts';

const run = promisify(execFile);

/** apt names the packages that are missing on this machine; these are those that Redis can need. */
const WANTED = /^(redis-server|redis-tools|lib(?!c6$)[a-z0-9.+-]+)$/;
/** Wanted also where apt can make no plan, since packages of this machine are half installed. */
const ALWAYS_WANTED = ['libatomic1', 'libjemalloc2', 'liblzf1', 'redis-server', 'redis-tools'];

/** The Redis that {@link fetchRedisPackages} unpacked in `directory`, if it is there and starts. */
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

/** The folders of `lib` that hold libraries, such as `x86_64-linux-gnu`. */
async function architectures(lib: string): Promise<string[]> {
  const names = await readdir(lib).catch(() => []);
  return names.filter((name) => name.includes('-linux-gnu')).map((name) => join(lib, name));
}

/**
 * Downloads Redis's Debian packages with apt and unpacks them in `directory`. Needs no root, and leaves
 * the machine as it was: apt's lists and its cache are kept in `directory` too, while it runs.
 */
export async function fetchRedisPackages(
  directory: string,
  onProgress: (line: string) => void = () => {},
): Promise<void> {
  await run('apt-get', ['--version']).catch((cause: unknown) => {
    throw new Error('there is no apt-get to fetch one with', { cause });
  });
  await mkdir(directory, { recursive: true });
  // A directory of our own, moved into place when complete: others may be fetching at the same time.
  const work = await mkdtemp(join(directory, 'fetch-'));
  try {
    onProgress('fetching redis-server from Debian’s packages…');
    const apt = await prepareApt(work);
    // Its exit status is of no use: one third-party source that is down makes it fail.
    await apt(['update']).catch(() => {});
    await apt(['download', ...(await missingPackages(apt))]).catch((cause: unknown) => {
      throw new Error(`apt could not fetch one${firstError(cause)}`, { cause });
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
    // What is installed on this machine need not be fetched.
    'Dir::State::status=/var/lib/dpkg/status',
    // As root, apt would download as a user who may not write here.
    'APT::Sandbox::User=root',
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

/** Names differ between releases (libssl3, libssl3t64), so apt is asked what an installation would add. */
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

/** The first thing that apt complains of. */
function firstError(error: unknown): string {
  const line = error instanceof Error ? /^E: (.+)$/m.exec(error.message)?.[1] : undefined;
  return line === undefined ? '' : `: ${line}`;
}

async function moveIntoPlace(from: string, to: string): Promise<void> {
  await rename(from, to).catch(async () => {
    // Another process was first, or what is there does not start. One that starts stays.
    if ((await findFetchedRedis(join(to, '..'))) !== undefined) return;
    await rm(to, { recursive: true, force: true });
    await rename(from, to);
  });
}
