import { fencingToken } from '@syncline/contract';
import { describe, expect, test } from 'vitest';
import { createInMemoryState } from '../testing/in-memory-state.ts';
import { createInMemoryStatusPersistence } from '../testing/in-memory-status-persistence.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { acquire } from '../testing/store-harness.ts';
import { createSingleProcessRunStore } from './single-process-run-store.ts';

const TTL_MS = 12_000;
const TICK = { kind: 'tick' } as const;
const UNDONE = { changes: { startsWithoutFinish: 0 } };

function createStore() {
  const clock = createManualClock({ nowMs: Date.parse('2026-02-01T12:00:00Z') });
  const status = createInMemoryStatusPersistence(createInMemoryState({ clock }));
  return { clock, status, runStore: createSingleProcessRunStore({ status, clock }) };
}

describe('the run store of a single process', () => {
  test('a lease is in the status, and keeps a second run out', async () => {
    const { runStore, status, clock } = createStore();
    const { lease } = await acquire({ runStore }, 'alpha', { ttlMs: TTL_MS });
    const second = await runStore.acquire({ ...lease, ttlMs: TTL_MS, purpose: TICK });
    expect(second).toMatchObject({ state: 'busy', leaseUntilMs: clock.now() + TTL_MS });
    expect(await status.load('alpha')).toMatchObject({
      phase: 'Syncing',
      term: lease.term,
      owner: 'alice',
      startsWithoutFinish: 1,
    });
  });

  test('of two ticks at the same moment, one gets the lease', async () => {
    const { runStore } = createStore();
    const options = { registry: 'alpha', owner: 'alice', ttlMs: TTL_MS, purpose: TICK };
    const states = await Promise.all([runStore.acquire(options), runStore.acquire(options)]);
    expect(states.map(({ state }) => state).sort()).toEqual(['acquired', 'busy']);
  });

  test('the run of a process that died is taken over at once, and counted', async () => {
    const { runStore, status, clock } = createStore();
    const dead = await acquire({ runStore }, 'alpha', { owner: 'dead', ttlMs: TTL_MS });
    const restarted = createSingleProcessRunStore({ status, clock });
    const { lease, status: before } = await acquire({ runStore: restarted }, 'alpha');
    expect(Number(lease.term)).toBeGreaterThan(Number(dead.lease.term));
    expect(before.startsWithoutFinish).toBe(2);
    expect(await runStore.finish(dead.lease, UNDONE)).toEqual({ state: 'refused' });
  });

  test('finish frees the lease; asked for again it answers again', async () => {
    const { runStore, status } = createStore();
    const { lease } = await acquire({ runStore }, 'alpha');
    const ending = { changes: { phase: 'Complete', message: 'once' } } as const;
    expect(await runStore.finish(lease, ending)).toEqual({ state: 'finished' });
    expect(await runStore.finish(lease, { changes: { message: 'twice' } })).toEqual({
      state: 'finished',
    });
    expect(await status.load('alpha')).toMatchObject({ phase: 'Complete', message: 'once' });
    await acquire({ runStore }, 'alpha');
  });

  test('a lease of a run before is neither renewed nor finished', async () => {
    const { runStore, clock } = createStore();
    const { lease: stale } = await acquire({ runStore }, 'alpha', { ttlMs: TTL_MS });
    clock.advance(TTL_MS);
    const { lease } = await acquire({ runStore }, 'alpha', { ttlMs: TTL_MS });
    expect(await runStore.renew([stale, lease], { ttlMs: TTL_MS })).toEqual([
      { held: false },
      { held: true, stop: false },
    ]);
    expect(await runStore.finish(stale, UNDONE)).toEqual({ state: 'refused' });
    expect(await runStore.renew([lease], { ttlMs: TTL_MS })).toMatchObject([{ held: true }]);
  });

  test('a renewed lease lasts longer', async () => {
    const { runStore, clock } = createStore();
    const { lease } = await acquire({ runStore }, 'alpha', { ttlMs: TTL_MS });
    clock.advance(TTL_MS - 1);
    await runStore.renew([lease], { ttlMs: TTL_MS });
    clock.advance(TTL_MS - 1);
    expect(await runStore.acquire({ ...lease, ttlMs: TTL_MS, purpose: TICK })).toMatchObject({
      state: 'busy',
    });
  });

  test('a term grows also when the clock has gone back', async () => {
    const { runStore, clock } = createStore();
    const first = await acquire({ runStore }, 'alpha');
    await runStore.finish(first.lease, UNDONE);
    clock.jump(-3_600_000);
    const { lease } = await acquire({ runStore }, 'alpha');
    expect(Number(lease.term)).toBe(Number(first.lease.term) + 1);
  });

  test('requests are counted, and those that come meanwhile stay open', async () => {
    const { runStore } = createStore();
    const purpose = { kind: 'request', force: true } as const;
    const { lease, control } = await acquire({ runStore }, 'alpha', { purpose });
    expect(control).toMatchObject({ requested: 1, handled: 0, force: true });
    await runStore.acquire({ ...lease, ttlMs: TTL_MS, purpose: { kind: 'request', force: false } });
    expect(await runStore.finish(lease, { ...UNDONE, handledRequest: 1 })).toEqual({
      state: 'finished',
      openRequest: 2,
    });
    const wakeUp = { ...lease, ttlMs: TTL_MS, purpose: { kind: 'wake-up', request: 1 } } as const;
    expect(await runStore.acquire(wakeUp)).toEqual({ state: 'handled' });
  });

  test('a status that cannot be written leaves the lease to be finished again', async () => {
    const { runStore, status } = createStore();
    const { lease } = await acquire({ runStore }, 'alpha');
    const save = status.save;
    status.save = async () => {
      throw new Error('the disk is full');
    };
    await expect(runStore.finish(lease, UNDONE)).rejects.toThrow('the disk is full');
    status.save = save;
    expect(await runStore.finish(lease, UNDONE)).toEqual({ state: 'finished' });
  });

  test('a status that cannot be written as a run begins does not lock the registry', async () => {
    const { runStore, status } = createStore();
    const save = status.save;
    status.save = async () => {
      throw new Error('the disk is full');
    };
    await expect(acquire({ runStore }, 'alpha')).rejects.toThrow('the disk is full');
    status.save = save;
    await acquire({ runStore }, 'alpha');
  });

  test('someone else’s status is not overwritten', async () => {
    const { runStore, status } = createStore();
    const { lease } = await acquire({ runStore }, 'alpha');
    await status.save('alpha', { term: '9' }, { expected: fencingToken(lease) });
    expect(await runStore.finish(lease, { changes: { message: 'mine' } })).toEqual({
      state: 'refused',
    });
    expect((await status.load('alpha'))?.message).toBeUndefined();
  });

  test('all being as it was is noted without a lease, if no run has begun since', async () => {
    const { runStore, status } = createStore();
    const { lease } = await acquire({ runStore }, 'alpha');
    await runStore.finish(lease, { changes: { phase: 'Complete' } });
    const changes = { lastSuccessAt: '2026-02-01T12:01:00.000Z' };
    const confirm = () => runStore.confirmUnchanged('alpha', { term: lease.term, changes });
    expect(await confirm()).toBe(true);
    expect(await status.load('alpha')).toMatchObject({ phase: 'Complete', ...changes });
    const purpose = { kind: 'request', force: false } as const;
    const next = await acquire({ runStore }, 'alpha', { purpose });
    expect(await confirm()).toBe(false);
    await runStore.finish(next.lease, UNDONE);
    const { term } = next.lease;
    // Its request is still open.
    expect(await runStore.confirmUnchanged('alpha', { term, changes })).toBe(false);
  });
});
