import { execFileSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileCalls } from './file-source.ts';

const never = new AbortController().signal;
const HANGS = { code: 'source-timeout', message: expect.stringContaining('does not answer') };

/** A call to a file system that returns when a test says so. */
function scriptedCall<Result>(result: Result) {
  const { promise, resolve } = Promise.withResolvers<Result>();
  let made = 0;
  return {
    call: () => {
      made += 1;
      return promise;
    },
    end: () => resolve(result),
    ended: promise,
    get made() {
      return made;
    },
  };
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'syncline-files-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** Creates a pipe that behaves like a hanging file system: opening it for reading blocks until somebody writes. */
function makePipe(path: string): void {
  execFileSync('sh', ['-c', 'mkdir -p "$(dirname "$0")" && mkfifo "$0"', path]);
}

/** Unblocks all readers of the pipe, including readers that open it later in the test. */
async function endWaiting(pipe: string): Promise<void> {
  const writer = await open(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => writer.close());
}

describe('FileCalls', () => {
  test('gives a file system a third of the threads, and passes on results and errors', async () => {
    const calls = new FileCalls();
    const first = scriptedCall(1);
    const second = scriptedCall(2);
    const answers = [
      calls.make('/a/one', never, first.call),
      calls.make('/a/two', never, second.call),
    ];
    expect(await calls.make('/b/other', never, async () => 3)).toBe(3);
    expect([first.made, second.made]).toEqual([1, 0]);
    first.end();
    second.end();
    expect(await Promise.all(answers)).toEqual([1, 2]);
    await expect(
      calls.make('/a/one', never, () => Promise.reject(new Error('gone'))),
    ).rejects.toThrow('gone');
  });

  test('times out a hanging call, and fails later ones at once until it returns', async () => {
    const calls = new FileCalls({ timeoutMs: 20 });
    const hanging = scriptedCall('late');
    await expect(calls.make('/a/one', never, hanging.call)).rejects.toMatchObject(HANGS);
    const next = scriptedCall(1);
    await expect(calls.make('/a/two', never, next.call)).rejects.toMatchObject(HANGS);
    expect(next.made).toBe(0);
    hanging.end();
    await hanging.ended;
    expect(await calls.make('/a/two', never, async () => 2)).toBe(2);
  });

  test('stops waiting when aborted, while the hanging call keeps its thread', async () => {
    const calls = new FileCalls({ timeoutMs: 50 });
    const abort = new AbortController();
    const hanging = scriptedCall('late');
    const waiting = calls.make('/a/one', abort.signal, hanging.call);
    const behind = calls.make('/a/two', abort.signal, async () => 1);
    abort.abort(new Error('the time is up'));
    await expect(waiting).rejects.toThrow('the time is up');
    await expect(behind).rejects.toThrow('the time is up');
    await expect(calls.make('/a/two', never, async () => 2)).rejects.toMatchObject(HANGS);
    hanging.end();
    await hanging.ended;
    await expect(calls.make('/a/two', abort.signal, async () => 3)).rejects.toThrow('time is up');
  });

  test('shares the limit between folders once they are known to be on one file system', async () => {
    const calls = new FileCalls({ timeoutMs: 20 });
    for (const path of ['/a/one', '/b/two']) calls.learn(path, 7);
    const hanging = scriptedCall('late');
    await expect(calls.make('/a/one', never, hanging.call)).rejects.toMatchObject(HANGS);
    await expect(calls.make('/b/two', never, async () => 1)).rejects.toMatchObject(HANGS);
    expect(await calls.make('/c/three', never, async () => 2)).toBe(2);
  });

  test('makes as many simultaneous calls to a file system as it has threads', async () => {
    const calls = new FileCalls({ maxThreads: 6 });
    const made = [1, 2, 3].map(scriptedCall);
    const answers = made.map(({ call }) => calls.make('/a/one', never, call));
    expect(await calls.make('/b/other', never, async () => 4)).toBe(4);
    expect(made.map((call) => call.made)).toEqual([1, 1, 0]);
    for (const { end } of made) end();
    expect(await Promise.all(answers)).toEqual([1, 2, 3]);
  });

  test('does not mark a file system as hanging if its call never got a thread', async () => {
    const calls = new FileCalls({ timeoutMs: 20 });
    const hanging = ['/a/one', '/b/one', '/c/one'].map((path) => ({
      path,
      ...scriptedCall('late'),
    }));
    const asked = hanging.map(({ path, call }) => calls.make(path, never, call));
    const waiting = calls.make('/d/one', never, async () => 1);
    for (const answer of await Promise.allSettled([...asked, waiting])) {
      expect(answer).toMatchObject({ reason: HANGS });
    }
    for (const { end } of hanging) end();
    await Promise.all(hanging.map(({ ended }) => ended));
    expect(await calls.make('/d/one', never, async () => 2)).toBe(2);
  });

  test('leaves threads for the rest of the process, however many file systems hang', async () => {
    const directory = await temporaryDirectory();
    const pipes = Array.from({ length: 8 }, (_, index) => join(directory, String(index), 'pipe'));
    for (const pipe of pipes) makePipe(pipe);
    const opened: Promise<FileHandle>[] = [];
    const hang = (pipe: string) => () => {
      const opening = open(pipe, 'r');
      opened.push(opening);
      return opening;
    };
    const calls = new FileCalls({ timeoutMs: 50 });
    const asked = pipes.map((pipe) => calls.make(pipe, never, hang(pipe)));
    for (const answer of await Promise.allSettled(asked)) {
      expect(answer).toMatchObject({ status: 'rejected', reason: HANGS });
    }
    expect(opened).toHaveLength(3);
    expect((await stat(directory)).isDirectory()).toBe(true);
    expect(await lookup('localhost')).toBeDefined();
    for (const pipe of pipes.slice(0, opened.length)) await endWaiting(pipe);
    for (const file of await Promise.all(opened)) await file.close();
  });
});

describe('FileCalls.stat', () => {
  test('returns size and times, and learns the file system of the path', async () => {
    const directory = await temporaryDirectory();
    const [here, gone] = [join(directory, 'here'), join(directory, 'gone')];
    await writeFile(here, 'abc');
    const { size, mtimeMs, ctimeMs, dev } = await stat(here);
    const calls = new FileCalls({ timeoutMs: 20 });
    expect(await calls.stat(here, never)).toMatchObject({ size, mtimeMs, ctimeMs, dev });
    await expect(calls.stat(gone, never)).rejects.toMatchObject({ code: 'ENOENT' });
    calls.learn('/elsewhere/file', dev);
    const hanging = scriptedCall('late');
    await expect(calls.make('/elsewhere/file', never, hanging.call)).rejects.toMatchObject(HANGS);
    await expect(calls.stat(here, never)).rejects.toMatchObject(HANGS);
    hanging.end();
    await hanging.ended;
    expect(await calls.stat(here, never)).toMatchObject({ dev });
  });
});
