import {
  appendFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SynclineError } from '@syncline/contract';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Loop } from '../lifecycle/loop.ts';
import { loadConfig } from './load-config.ts';
import { type WatchConfigOptions, watchConfig } from './watch-config.ts';

let directory: string;
let path: string;
let watcher: Loop;
let told: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-watch-'));
  path = join(directory, 'syncline.yaml');
  told = [];
});
afterEach(async () => {
  await watcher.stop();
  await rm(directory, { recursive: true });
});

const configOf = (name: string) => `registries:\n  - { name: ${name}, file: { path: x.json } }\n`;

/**
 * Replaces the file atomically, because the watcher may read at any moment. Another test covers partly
 * written files.
 */
async function put(text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Records what the watcher reports: the names of registries, and the codes of errors. */
function watch(options: Partial<WatchConfigOptions> = {}): void {
  watcher = watchConfig({
    path,
    pollIntervalMs: 5,
    onChange: ({ config }) => void told.push(config.registries.map(({ name }) => name).join()),
    onError: (error: SynclineError) => void told.push(error.code),
    ...options,
  });
}

const untilTold = (expected: string[]) =>
  vi.waitFor(() => expect(told).toEqual(expected), { interval: 5 });

test('the watcher reports the first config, and each changed one, once', async () => {
  await put(configOf('one'));
  watch();
  await untilTold(['one']);
  await put(`# only a comment is new\n${configOf('one')}`);
  await put(configOf('two'));
  await untilTold(['one', 'two']);
});

test('the watcher does not report the config that the caller already has', async () => {
  await put(configOf('one'));
  const { digest } = await loadConfig(path);
  watch({ knownDigest: digest });
  await put(configOf('two'));
  await untilTold(['two']);
});

test('the watcher reports an error once, and then the previous config when it is restored', async () => {
  await put(configOf('one'));
  watch();
  await untilTold(['one']);
  await put(configOf('one').slice(0, 30));
  await untilTold(['one', 'config-invalid']);
  await put(configOf('one'));
  await untilTold(['one', 'config-invalid', 'one']);
});

test('the watcher reports that the file is gone, and its config when it is back', async () => {
  await put(configOf('one'));
  watch();
  await untilTold(['one']);
  await rm(path);
  await untilTold(['one', 'config-unreadable']);
  await put(configOf('two'));
  await untilTold(['one', 'config-unreadable', 'two']);
});

test('the watcher follows a swapped link, as in a Kubernetes ConfigMap', async () => {
  for (const name of ['one', 'two']) {
    await mkdir(join(directory, name));
    await writeFile(join(directory, name, 'syncline.yaml'), configOf(name));
  }
  await symlink('one', join(directory, '..data'));
  await symlink('..data/syncline.yaml', path);
  watch();
  await untilTold(['one']);
  await symlink('two', join(directory, '..data_tmp'));
  await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  await untilTold(['one', 'two']);
});

test('the watcher ignores contents that change before the next poll', async () => {
  let generation = 0;
  const replace = async () => {
    generation++;
    await put(configOf(`moving-${generation}`));
  };
  await replace();
  // The file is replaced many times between two polls, even on a busy machine.
  watch({ pollIntervalMs: 400 });
  const until = performance.now() + 1_500;
  while (performance.now() < until) await replace();
  await untilTold([`moving-${generation}`]);
});

test('the watcher ignores the first part of a file whose writer pauses', async () => {
  const two = `${configOf('one')}  - { name: two, file: { path: y.json } }\n`;
  const changed = two.replace('y.json', 'z.json');
  await put(two);
  const pollIntervalMs = 100;
  watch({ pollIntervalMs });
  await untilTold(['one,two']);
  // The first part is a valid config without the second registry.
  await writeFile(path, configOf('one'));
  await delay(2.5 * pollIntervalMs);
  await appendFile(path, changed.slice(configOf('one').length));
  await untilTold(['one,two', 'one,two']);
});

test('the watcher accepts a shorter config that stays unchanged', async () => {
  await put(`${configOf('one')}  - { name: two, file: { path: y.json } }\n`);
  watch();
  await untilTold(['one,two']);
  await put(configOf('one'));
  await untilTold(['one,two', 'one']);
});

test.each<[what: string, code: string, spoil: () => Promise<unknown>]>([
  ['a directory', 'config-unreadable', () => rm(path).then(() => mkdir(path))],
  ['a file of 50 MB', 'config-unreadable', () => truncate(path, 50_000_000)],
  ['a file of invalid UTF-8', 'config-invalid', () => writeFile(path, Buffer.from([0xff, 0xfe]))],
  ['a link to itself', 'config-unreadable', () => rm(path).then(() => symlink(path, path))],
  ['an empty file', 'config-invalid', () => truncate(path, 0)],
])(
  'the watcher reports once that the file has become %s, and continues',
  async (_what, code, spoil) => {
    await put(configOf('one'));
    watch();
    await untilTold(['one']);
    await spoil();
    await untilTold(['one', code]);
    await rm(path, { recursive: true });
    await put(configOf('two'));
    await vi.waitFor(() => expect(told.at(-1)).toBe('two'), { interval: 5 });
  },
);

test('the watcher applies the additional checks to each config', async () => {
  await put(configOf('one'));
  const checks = [() => [{ path: ['registries'], message: 'expected something else' }]];
  watch({ checks });
  await untilTold(['config-invalid']);
});

test('the watcher reports a config again if the caller could not apply it', async () => {
  await put(configOf('one'));
  let attempts = 0;
  watch({
    onChange: async ({ config }) => {
      attempts++;
      if (attempts < 3) throw new Error('the store is away');
      told.push(config.registries[0]?.name ?? '');
    },
  });
  await untilTold(['internal', 'one']);
  expect(attempts).toBe(3);
});

test('the watcher ends at once when it is stopped', async () => {
  await put(configOf('one'));
  watch({ pollIntervalMs: 60_000 });
  await expect(watcher.stop()).resolves.toBeUndefined();
});
