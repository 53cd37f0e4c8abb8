import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FairGate, type GateLimits } from './fair-gate.ts';

const NEVER = new AbortController().signal;

beforeEach(() => void vi.spyOn(performance, 'now').mockReturnValue(0));
afterEach(() => void vi.restoreAllMocks());

function setUp(limits: Partial<GateLimits> = {}) {
  const gate = new FairGate({
    slots: 4,
    slotsPerClient: 2,
    waiting: 6,
    longestWaitMs: 60_000,
    ...limits,
  });
  const order: string[] = [];
  const leaves: (() => void)[] = [];
  const enter = async (client: string, gone = NEVER) => {
    const result = await gate.enter(client, gone);
    order.push(typeof result === 'string' ? `${client}: ${result}` : client);
    if (typeof result !== 'string') leaves.push(result);
  };
  const flush = () => new Promise<void>((resolve) => setImmediate(resolve));
  /** Ends the oldest work. */
  const leaveOne = async () => {
    leaves.shift()?.();
    await flush();
  };
  return {
    gate,
    order,
    enter: (client: string, gone?: AbortSignal) => void enter(client, gone),
    flush,
    leaveOne,
  };
}

describe('a gate', () => {
  test('gives one client half of the slots, and the others to other clients at once', async () => {
    const { gate, order, enter, flush } = setUp();
    for (const client of ['a', 'a', 'a', 'a', 'b', 'c']) enter(client);
    await flush();
    expect(order).toEqual(['a', 'a', 'b', 'c']);
    expect(gate.usage()).toEqual({ active: 4, waiting: 2, refused: 0 });
  });

  test('takes waiting requests round robin over their clients', async () => {
    const { order, enter, flush, leaveOne } = setUp({ slots: 1, slotsPerClient: 1 });
    for (const client of ['a', 'a', 'a', 'a', 'b', 'b', 'c']) enter(client);
    await flush();
    for (let left = 0; left < 6; left += 1) await leaveOne();
    expect(order).toEqual(['a', 'a', 'b', 'c', 'a', 'b', 'a']);
  });

  test('prefers the client that has had the least time', async () => {
    const { order, enter, flush, leaveOne } = setUp({ slots: 1, slotsPerClient: 1 });
    for (const client of ['long', 'long', 'short', 'short', 'short']) enter(client);
    await flush();
    for (const nowMs of [100, 110, 120]) {
      vi.mocked(performance.now).mockReturnValue(nowMs);
      await leaveOne();
    }
    expect(order).toEqual(['long', 'short', 'short', 'short']);
    await leaveOne();
    expect(order.at(-1)).toBe('long');
  });

  test('gives a client that comes back no advantage for the time of its absence', async () => {
    const { order, enter, flush, leaveOne } = setUp({ slots: 1, slotsPerClient: 1 });
    for (const client of ['a', 'a', 'b', 'b', 'b']) enter(client);
    for (const nowMs of [100, 200, 300]) {
      vi.mocked(performance.now).mockReturnValue(nowMs);
      await flush();
      await leaveOne();
    }
    expect(order).toEqual(['a', 'b', 'a', 'b']);
    enter('c');
    enter('c');
    enter('c');
    for (const nowMs of [400, 500, 600, 700]) {
      vi.mocked(performance.now).mockReturnValue(nowMs);
      await flush();
      await leaveOne();
    }
    expect(order.slice(4)).toEqual(['c', 'b', 'c', 'c']);
  });

  test('skips a client that has all its slots', async () => {
    const { gate, order, enter, flush, leaveOne } = setUp({ slots: 3 });
    for (const client of ['b', 'a', 'a', 'a', 'a', 'c']) enter(client);
    await flush();
    expect(order).toEqual(['b', 'a', 'a']);
    await leaveOne();
    expect(order).toEqual(['b', 'a', 'a', 'c']);
    await leaveOne();
    expect(order.at(-1)).toBe('a');
    expect(gate.usage()).toMatchObject({ active: 3, waiting: 1 });
  });

  test('refuses a request of the client with most waiting requests if too many wait', async () => {
    const { gate, order, enter, flush } = setUp({ slots: 1, slotsPerClient: 1, waiting: 3 });
    for (const client of ['a', 'a', 'a', 'a']) enter(client);
    enter('a');
    await flush();
    expect(order).toEqual(['a', 'a: overloaded']);
    enter('b');
    await flush();
    expect(order.at(-1)).toBe('a: overloaded');
    expect(gate.usage()).toEqual({ active: 1, waiting: 3, refused: 2 });
  });

  test('refuses a request that has waited for too long', async () => {
    const { gate, order, enter, flush } = setUp({ slots: 1, slotsPerClient: 1, longestWaitMs: 10 });
    enter('a');
    enter('b');
    while (gate.usage().waiting > 0) await flush();
    await flush();
    expect(order).toEqual(['a', 'b: overloaded']);
  });

  test('forgets a waiting request whose client is gone', async () => {
    const { gate, order, enter, flush, leaveOne } = setUp({ slots: 1, slotsPerClient: 1 });
    const gone = new AbortController();
    enter('a');
    enter('b', gone.signal);
    enter('c');
    gone.abort();
    await flush();
    await leaveOne();
    expect(order).toEqual(['a', 'b: gone', 'c']);
    expect(gate.usage()).toEqual({ active: 1, waiting: 0, refused: 0 });
  });

  test('keeps no state of clients that have left, however often they leave', async () => {
    const { gate } = setUp();
    const leave = await gate.enter('a', NEVER);
    if (typeof leave === 'string') throw new Error(leave);
    leave();
    leave();
    expect(gate.usage()).toEqual({ active: 0, waiting: 0, refused: 0 });
    for (let client = 0; client < 4; client += 1) await gate.enter(`client ${client}`, NEVER);
    expect(gate.usage().active).toBe(4);
  });
});
