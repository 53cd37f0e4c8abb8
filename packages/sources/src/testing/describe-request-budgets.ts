import { beforeEach, describe, expect, test } from 'vitest';
import type { RequestBudget, RequestBudgets } from '../network/request-budgets.ts';

export interface BudgetsOptions {
  readonly budgets: () => RequestBudget[];
  readonly longestWaitMs?: number;
}

const HOST = 'a.example';
const FOREVER_MS = 3_600_000;

/**
 * Tests the contract of every {@link RequestBudgets}.
 *
 * @param createStore creates an empty store, and returns a function that creates budgets on that
 *   store
 */
export function describeRequestBudgets(
  name: string,
  createStore: () => Promise<(options: BudgetsOptions) => RequestBudgets>,
): void {
  describe(`${name} satisfy the RequestBudgets contract`, () => {
    let create: (options: BudgetsOptions) => RequestBudgets;
    let budgets: RequestBudget[];
    let requests: RequestBudgets;
    beforeEach(async () => {
      create = await createStore();
      budgets = [];
      requests = create({ budgets: () => budgets });
    });

    const take = (
      { host = HOST, holdMs = FOREVER_MS, signal = new AbortController().signal } = {},
      from = requests,
    ) => from.take(host, { signal, holdMs });

    /** Returns whether the promise is still pending after all immediate work has finished. */
    const isOpen = async (promise: Promise<unknown>) => {
      let open = true;
      const settle = () => {
        open = false;
      };
      promise.then(settle, settle);
      // Each round calls the store after all earlier calls.
      budgets.push({ host: 'other.example', concurrency: 100 });
      for (let round = 0; round < 5; round += 1) {
        (await take({ host: 'other.example' }))[Symbol.dispose]();
      }
      budgets.pop();
      return open;
    };

    test('a host without a budget is not limited', async () => {
      budgets = [{ host: 'other.example', concurrency: 1, requestsPerSecond: 0.01 }];
      const places = await Promise.all(Array.from({ length: 100 }, () => take()));
      for (const place of places) place[Symbol.dispose]();
    });

    test('the rate is shared by all clients of the store', async () => {
      budgets = [{ host: HOST, requestsPerSecond: 20 }];
      const second = create({ budgets: () => budgets });
      const startMs = performance.now();
      await Promise.all([take(), take({}, second), take(), take({}, second), take()]);
      // Timers may fire slightly early.
      expect(performance.now() - startMs).toBeGreaterThan(4 * 50 - 10);
    });

    test('the concurrency is shared by all clients of the store', async () => {
      budgets = [{ host: HOST, concurrency: 2 }];
      const second = create({ budgets: () => budgets });
      const first = await take();
      await take({}, second);
      const third = take({}, second);
      expect(await isOpen(third)).toBe(true);
      first[Symbol.dispose]();
      await third;
    });

    test('a place that is returned twice counts once', async () => {
      budgets = [{ host: HOST, concurrency: 1 }];
      const first = await take();
      first[Symbol.dispose]();
      const second = await take();
      first[Symbol.dispose]();
      const third = take();
      expect(await isOpen(third)).toBe(true);
      second[Symbol.dispose]();
      (await third)[Symbol.dispose]();
    });

    test('a place that is never returned is free after its hold time', async () => {
      budgets = [{ host: HOST, concurrency: 2 }];
      await take();
      await take({ holdMs: 100 });
      (await take())[Symbol.dispose]();
    });

    test('each host has its own budget, and a trailing dot is the same host', async () => {
      budgets = [
        { host: HOST, concurrency: 1 },
        { host: 'b.example', concurrency: 1 },
      ];
      const first = await take();
      await take({ host: 'b.example' });
      const dotted = take({ host: `${HOST}.` });
      expect(await isOpen(dotted)).toBe(true);
      first[Symbol.dispose]();
      await dotted;
    });

    test('a request that would wait too long fails at once, with the time to retry', async () => {
      budgets = [{ host: HOST, requestsPerSecond: 0.01, concurrency: 2 }];
      await take();
      for (let count = 0; count < 3; count += 1) {
        const error = await take().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'source-rate-limited' });
        const { retryAfterMs } = error as { retryAfterMs: number };
        expect(retryAfterMs).toBeGreaterThan(90_000);
        expect(retryAfterMs).toBeLessThanOrEqual(100_000);
      }
    });

    test('a wait for a place fails after the longest wait', async () => {
      budgets = [{ host: HOST, concurrency: 1 }];
      const impatient = create({ budgets: () => budgets, longestWaitMs: 50 });
      await take();
      await expect(take({}, impatient)).rejects.toMatchObject({
        code: 'source-rate-limited',
        retryAfterMs: 5_000,
      });
    });

    test.each(['for a place', 'for the time'])(
      'an abort ends a wait %s with its reason, and takes no place',
      async (what) => {
        budgets = [
          { host: HOST, concurrency: 1 },
          { host: 'b.example', concurrency: 1, requestsPerSecond: 0.1 },
        ];
        const host = what === 'for a place' ? HOST : 'b.example';
        const first = await take({ host });
        if (what === 'for the time') first[Symbol.dispose]();
        const abort = new AbortController();
        const waiting = take({ host, signal: abort.signal });
        waiting.catch(() => {});
        expect(await isOpen(waiting)).toBe(true);
        const reason = new Error('the run is over');
        abort.abort(reason);
        await expect(waiting).rejects.toBe(reason);
        first[Symbol.dispose]();
        budgets = [{ host, concurrency: 1 }];
        await take({ host });
      },
    );

    test('a request that is already aborted takes no place', async () => {
      budgets = [{ host: HOST, concurrency: 1 }];
      const reason = new Error('the run is over');
      await expect(take({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      (await take())[Symbol.dispose]();
    });

    test('budgets follow the config', async () => {
      budgets = [{ host: HOST, concurrency: 1, requestsPerSecond: 0.01 }];
      const first = await take();
      budgets = [{ host: HOST, concurrency: 2, requestsPerSecond: 1_000 }];
      await take();
      budgets = [];
      await take();
      first[Symbol.dispose]();
    });
  });
}
