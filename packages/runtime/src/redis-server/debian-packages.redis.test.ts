import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fetchRedisPackages } from './debian-packages.ts';

const run = promisify(execFile);
const PACKAGES = ['libatomic1', 'libjemalloc2', 'liblzf1', 'redis-server', 'redis-tools'];
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-debian-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

/** Writes a source of apt with the packages of Redis, but without a signature. */
async function writeUnsignedSource(architecture: string): Promise<void> {
  const entries = PACKAGES.map(async (name) => {
    const control = `Package: ${name}\nVersion: 99:1\nArchitecture: ${architecture}\nMaintainer: x\nDescription: x\n`;
    await mkdir(join(directory, name, 'DEBIAN'), { recursive: true });
    await writeFile(join(directory, name, 'DEBIAN/control'), control);
    const file = join(directory, `${name}.deb`);
    await run('dpkg-deb', ['--build', join(directory, name), file]);
    const digest = createHash('sha256').update(await readFile(file));
    return `${control}Filename: ./${name}.deb\nSize: ${(await stat(file)).size}\nSHA256: ${digest.digest('hex')}\n`;
  });
  await writeFile(join(directory, 'Packages'), (await Promise.all(entries)).join('\n'));
  await writeFile(join(directory, 'sources.list'), `deb file:${directory} ./\n`);
}

test('a package without a signature is rejected, even if the machine permits it', async (context) => {
  const architecture = await run('dpkg', ['--print-architecture']).catch(() => undefined);
  if (architecture === undefined) return context.skip('this is not Debian');
  await writeUnsignedSource(architecture.stdout.trim());
  const settings = [
    `Dir::Etc::sourcelist "${join(directory, 'sources.list')}";`,
    'Dir::Etc::sourceparts "/dev/null";',
    'APT::Get::AllowUnauthenticated "true";',
    'Acquire::AllowInsecureRepositories "true";',
  ];
  await writeFile(join(directory, 'apt.conf'), settings.join('\n'));
  vi.stubEnv('APT_CONFIG', join(directory, 'apt.conf'));

  const fetched = join(directory, 'fetched');
  await expect(fetchRedisPackages(fetched)).rejects.toThrow('apt could not download the package');

  await expect(stat(join(fetched, 'root'))).rejects.toThrow('ENOENT');
});
