import { execFileSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
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
    const directory = await mkdtemp(join(tmpdir(), 'syncline-hanging-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const pipes = Array.from({ length: 8 }, (_, index) => join(directory, String(index), 'pipe'));
    for (const pipe of pipes) {
      execFileSync('sh', ['-c', 'mkdir "$(dirname "$0")" && mkfifo "$0"', pipe]);
    }
    const opened: Promise<FileHandle>[] = [];
    // As a file system that is gone: opened for reading, a pipe holds a thread until somebody writes.
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
    for (const pipe of pipes.slice(0, opened.length)) {
      const writer = await open(pipe, constants.O_RDWR | constants.O_NONBLOCK);
      await writer.close();
    }
    for (const file of await Promise.all(opened)) await file.close();
  });
});
