import { execFileSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FileCalls } from './file-calls.ts';

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

/** As of a file system that is gone: whoever opens it for reading waits until somebody writes. */
function makePipe(path: string): void {
  execFileSync('sh', ['-c', 'mkdir -p "$(dirname "$0")" && mkfifo "$0"', path]);
}

/** Ends the waiting of those who open the pipe for reading, now and later in the test. */
async function endWaiting(pipe: string): Promise<void> {
  const writer = await open(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => writer.close());
}

describe('FileCalls', () => {
  test('a place is asked one thing at a time, and gives what it gives', async () => {
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

  test('who has waited long enough is told, and nobody else has to wait, until it answers', async () => {
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

  test('an abort ends the waiting, and the call keeps its turn', async () => {
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

  test('folders of one file system are one place, once that is known', async () => {
    const calls = new FileCalls({ timeoutMs: 20 });
    for (const path of ['/a/one', '/b/two']) calls.learn(path, 7);
    const hanging = scriptedCall('late');
    await expect(calls.make('/a/one', never, hanging.call)).rejects.toMatchObject(HANGS);
    await expect(calls.make('/b/two', never, async () => 1)).rejects.toMatchObject(HANGS);
    expect(await calls.make('/c/three', never, async () => 2)).toBe(2);
  });

  test('however many places hang, threads are left for the rest of the process', async () => {
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

describe('looking at files', () => {
  const HANGING = new URL('../testing/hanging-stats-thread.ts', import.meta.url).href;

  test('says what the file system says, also once they are looked at together', async () => {
    const directory = await temporaryDirectory();
    const [here, gone] = [join(directory, 'here'), join(directory, 'gone')];
    for (const path of [here, gone]) await writeFile(path, 'abc');
    const { size, mtimeMs, ctimeMs, dev } = await stat(here);
    const calls = new FileCalls();
    const looks = () => Promise.allSettled([here, gone].map((path) => calls.stat(path, never)));
    const found = { status: 'fulfilled', value: { size, mtimeMs, ctimeMs, dev } };
    expect(await looks()).toMatchObject([found, { status: 'fulfilled', value: { size, dev } }]);
    await rm(gone);
    for (let time = 0; time < 2; time += 1) {
      expect(await looks()).toMatchObject([found, { reason: { code: 'ENOENT' } }]);
    }
  });

  test('waits for no answer longer than for any call, and takes no thread of the process', async () => {
    const directory = await temporaryDirectory();
    const pipe = join(directory, 'pipe');
    makePipe(pipe);
    const calls = new FileCalls({ timeoutMs: 1_000, statsThread: HANGING });
    const file = join(directory, 'file');
    await writeFile(file, 'abc');
    const { dev } = await calls.stat(file, never);
    calls.learn(pipe, dev);
    calls.learn('/elsewhere/file', dev + 1);
    await expect(calls.stat(pipe, never)).rejects.toMatchObject(HANGS);
    // Of the same file system, which is not asked at all; and of another one.
    await expect(calls.stat(file, never)).rejects.toMatchObject(HANGS);
    await expect(calls.make(file, never, async () => 1)).rejects.toMatchObject(HANGS);
    expect(await calls.make('/elsewhere/file', never, async () => 2)).toBe(2);
    await endWaiting(pipe);
    await vi.waitFor(async () => expect(await calls.stat(file, never)).toMatchObject({ dev }));
  });

  test('an abort ends the waiting', async () => {
    const directory = await temporaryDirectory();
    const pipe = join(directory, 'pipe');
    makePipe(pipe);
    const calls = new FileCalls({ statsThread: HANGING });
    calls.learn(pipe, (await stat(pipe)).dev);
    const abort = new AbortController();
    const looking = calls.stat(pipe, abort.signal);
    abort.abort(new Error('the time is up'));
    await expect(looking).rejects.toThrow('the time is up');
    await endWaiting(pipe);
  });
});
