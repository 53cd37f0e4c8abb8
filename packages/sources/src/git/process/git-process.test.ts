import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { processesOf } from '../../testing/git/processes.ts';
import { GitFailure, runGit } from './git-process.ts';

/** Creates a script that runs instead of git, in its own directory. */
async function fakeGit(script: string) {
  const directory = await mkdtemp(join(tmpdir(), 'syncline-fake-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { PATH: `${directory}:${process.env['PATH']}`, HOME: `${directory}/home` };
  return { env, directory };
}

let signal: AbortSignal;
beforeAll(() => {
  signal = new AbortController().signal;
});

test('a call returns the output of git', async () => {
  const { env } = await fakeGit('cat; printf %s "$1"');
  const output = await runGit({ args: ['version'], env, input: 'in ' }, { signal });
  expect(output.toString()).toBe('in version');
});

test('an error has the end of git’s standard error', async () => {
  const { env } = await fakeGit('yes | head -c 1000000 >&2; echo last >&2; exit 3');
  const error = await runGit({ args: ['fetch'], env }, { signal }).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(GitFailure);
  expect(error.message).toBe('git fetch ended with status 3');
  expect(error.stderr).toMatch(/last\n$/);
  expect(error.stderr.length).toBeLessThanOrEqual(16_384);
});

test('endless output is cut off', async () => {
  const { env, directory } = await fakeGit('yes');
  await expect(
    runGit({ args: ['ls-remote'], env }, { signal, maxOutputBytes: 1_000 }),
  ).rejects.toMatchObject({ code: 'source-too-large' });
  expect(processesOf(directory)).toBe('');
});

test('a timeout ends all child processes, also those that ignore SIGTERM', async () => {
  const { env, directory } = await fakeGit(
    "trap '' TERM; sh -c \"trap '' TERM; sleep 600\" & sleep 600",
  );
  await expect(runGit({ args: ['fetch'], env }, { signal, timeoutMs: 100 })).rejects.toMatchObject({
    code: 'source-timeout',
  });
  expect(processesOf(directory)).toBe('');
});

test('a leftover child process ends with its command', async () => {
  const { env, directory } = await fakeGit('sleep 600 & echo done');
  const output = await runGit({ args: ['fetch'], env }, { signal });
  expect(output.toString()).toBe('done\n');
  expect(processesOf(directory)).toBe('');
});

test('a call that uses too much memory is ended', async () => {
  const { env } = await fakeGit('sleep 600');
  await expect(
    runGit({ args: ['fetch'], env }, { signal, maxMemoryBytes: 1_000 }),
  ).rejects.toMatchObject({ code: 'source-too-large' });
});

test('a credential is passed at descriptor 3, not on standard input', async () => {
  const { env } = await fakeGit('cat; cat <&3');
  const output = await runGit({ args: ['fetch'], env, credential: 'hunter2' }, { signal });
  expect(output.toString()).toBe('hunter2');
});

test('git inherits no environment variables', async () => {
  const { env } = await fakeGit('env');
  const output = (await runGit({ args: [], env }, { signal })).toString();
  const names = output.split('\n').map((line) => line.split('=')[0]);
  expect(
    names.filter(
      (name) => !['', 'PATH', 'HOME', 'PWD', '_', 'SHLVL', 'OLDPWD'].includes(name ?? ''),
    ),
  ).toEqual([]);
});
