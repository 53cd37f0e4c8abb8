import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { GrowingBytes } from './growing-bytes.ts';
import type { MemoryAccount } from './memory-account.ts';
import { MemoryBudget } from './memory-budget.ts';

const MIB = 1024 * 1024;

function budgetOf(mib: number) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const budget = new MemoryBudget({ totalBytes: mib * MIB });
  const open = (name: string) => {
    const account = budget.open(name);
    onTestFinished(() => account[Symbol.dispose]());
    return account;
  };
  return { budget, open };
}

function reserve(account: MemoryAccount, mib: number, signal = new AbortController().signal) {
  const reserving = account.reserve(mib * MIB, { use: 'body', signal });
  reserving.catch(() => {});
  return reserving;
}

async function isPending(work: Promise<unknown>): Promise<boolean> {
  const later = Symbol('later');
  const first = await Promise.race([work.catch(() => {}), sleep(5).then(() => later)]);
  return first === later;
}

describe('MemoryBudget', () => {
  test('refuses at once what never fits', async () => {
    const { open } = budgetOf(100);
    await expect(reserve(open('a'), 51)).rejects.toMatchObject({ code: 'run-out-of-memory' });
  });

  test('lets the eldest large run finish, whatever the others hold', async () => {
    const { budget, open } = budgetOf(100);
    const eldest = open('eldest');
    const small = await reserve(eldest, 2);
    const others = Array.from({ length: 20 }, (_, index) => reserve(open(`other ${index}`), 5));
    const granted = await Promise.all(others.map(async (it) => !(await isPending(it))));
    expect(granted.filter(Boolean)).toHaveLength(8);
    await small.resize(50 * MIB);
    expect(eldest.heldBytes).toBe(50 * MIB);
    expect(budget.waits.count).toBe(12);
  });

  test('grants what waits as soon as memory is released, and every run ends', async () => {
    const { budget, open } = budgetOf(64);
    let running = 0;
    let most = 0;
    const run = async (index: number) => {
      using account = open(`run ${index}`);
      const body = await reserve(account, 0);
      for (let mib = 2; mib <= 32; mib += 2) {
        await body.resize(mib * MIB);
        running = Object.values(budget.reserved).reduce((sum, bytes) => sum + bytes, 0);
        most = Math.max(most, running);
      }
    };
    await Promise.all(Array.from({ length: 40 }, (_, index) => run(index)));
    expect(most).toBeLessThanOrEqual(64 * MIB);
    expect(budget.reserved).toEqual({ body: 0, ingest: 0, git: 0 });
    expect(budget.waits.count).toBe(0);
  });

  test('keeps a part for small runs', async () => {
    const { open } = budgetOf(64);
    await reserve(open('eldest'), 32);
    const large = Array.from({ length: 10 }, (_, index) => reserve(open(`large ${index}`), 4));
    await isPending(Promise.all(large));
    expect(await isPending(reserve(open('small'), 1))).toBe(false);
  });

  test('ends the run with the slowest upstream while others wait, and only then', async () => {
    const { budget, open } = budgetOf(64);
    const slow = open('slow');
    const fast = open('fast');
    await reserve(slow, 32);
    await reserve(fast, 20);
    const endless = () => new Promise<never>(() => {});
    void slow.receive(endless);
    void fast.receive(endless);
    fast.received(900 * MIB);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(slow.signal.aborted).toBe(false);
    const waiting = reserve(open('waiting'), 24);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(slow.signal.aborted).toBe(false);
    expect(budget.waits).toEqual({ count: 1, longestMs: 4_000 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(slow.signal.reason).toMatchObject({
      code: 'source-too-slow',
      message: expect.stringContaining('the upstream of slow was too slow'),
    });
    expect(fast.signal.aborted).toBe(false);
    slow[Symbol.dispose]();
    expect((await waiting).bytes).toBe(24 * MIB);
  });

  test('a wait ends with its signal, and the account of an ended run keeps nothing', async () => {
    const { budget, open } = budgetOf(64);
    const holder = open('holder');
    await reserve(holder, 32);
    await reserve(open('other'), 28);
    const abort = new AbortController();
    const waiting = reserve(open('late'), 8, abort.signal);
    const reason = new Error('stopping');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    holder[Symbol.dispose]();
    expect(budget.largest(5).map(({ name }) => name)).toEqual(['other']);
  });

  test('tells a waiting run who has the memory', async () => {
    const { open } = budgetOf(64);
    await reserve(open('holder'), 32);
    await reserve(open('other'), 28);
    const account = open('late');
    const causes: string[] = [];
    account.onWait = (cause) => void causes.push(cause);
    void reserve(account, 8);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(causes[0]).toBe('waiting for 8 MiB of memory. holder has most of it: 32 MiB');
  });
});

describe('GrowingBytes', () => {
  test('keeps no buffer of a chunk, and gives one exact buffer', async () => {
    const { budget, open } = budgetOf(64);
    const bytes = await GrowingBytes.open(open('a'), new AbortController().signal);
    const source = Buffer.alloc(65_536, 'x');
    for (let count = 0; count < 100_000; count += 1) await bytes.append(source.subarray(0, 1));
    expect(budget.reserved.body).toBeLessThan(300_000);
    await bytes.append(Buffer.alloc(3 * MIB, 'y'));
    const body = bytes.finish();
    expect(body.bytes.length).toBe(100_000 + 3 * MIB);
    expect(body.bytes.buffer.byteLength).toBe(body.bytes.length);
    expect([body.bytes[99_999], body.bytes[100_000]]).toEqual([0x78, 0x79]);
    expect(budget.reserved.body).toBe(body.bytes.length);
    body[Symbol.dispose]();
    expect(budget.reserved.body).toBe(0);
  });
});
