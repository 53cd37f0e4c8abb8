import { fencingToken, type Lease } from '@syncline/contract';
import { storeSnapshot, testBlob } from '@syncline/snapshot/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import type { LeasePurpose } from '../ports/run-store.ts';
import { acquire, type StoreHarness, testRun } from './store-harness.ts';

const TICK = { kind: 'tick' } as const;
const UNDONE = { changes: { startsWithoutFinish: 0 } };

/** Tests the contract of {@link RunStore}. `create` returns an empty store, and ports that share its data. */
export function describeRunStore(name: string, create: () => Promise<StoreHarness>): void {
  describe(`${name} fulfils the contract of RunStore`, () => {
    let store: StoreHarness;
    beforeEach(async () => {
      store = await create();
    });

    describe('acquire', () => {
      test('a registry that never ran gives its lease, its status and its control', async () => {
        const { lease, nowMs, status, control } = await acquire(store, 'alpha', { ttlMs: 5_000 });
        expect(lease).toEqual({
          registry: 'alpha',
          owner: 'alice',
          term: expect.stringMatching(/^\d{16}$/),
        });
        expect(status).toMatchObject({ phase: 'Pending', startsWithoutFinish: 1 });
        expect(control).toEqual({ requested: 0, handled: 0, force: false, suspended: false });
        expect(await store.status.load('alpha')).toMatchObject({
          phase: 'Syncing',
          term: lease.term,
          owner: 'alice',
          leaseUntil: nowMs + 5_000,
          startsWithoutFinish: 1,
        });
      });

      test('a current lease keeps everyone out, even its owner', async () => {
        const { nowMs } = await acquire(store, 'alpha', { ttlMs: 5_000 });
        for (const owner of ['alice', 'bob']) {
          const second = { registry: 'alpha', owner, ttlMs: 5_000, purpose: TICK };
          expect(await store.runStore.acquire(second)).toEqual({
            state: 'busy',
            owner: 'alice',
            leaseUntilMs: nowMs + 5_000,
          });
        }
      });

      test('only one of many concurrent callers gets the lease', async () => {
        const owners = Array.from({ length: 20 }, (_, index) => `owner-${index}`);
        const acquisitions = await Promise.all(
          owners.map((owner) =>
            store.runStore.acquire({ registry: 'alpha', owner, ttlMs: 60_000, purpose: TICK }),
          ),
        );
        expect(acquisitions.filter(({ state }) => state === 'acquired')).toHaveLength(1);
        expect(acquisitions.filter(({ state }) => state === 'busy')).toHaveLength(19);
      });

      test('leases of different registries are independent', async () => {
        await acquire(store, 'alpha');
        const { lease } = await acquire(store, 'beta', { owner: 'bob' });
        expect(lease).toMatchObject({ registry: 'beta', owner: 'bob' });
      });

      test('after it expires, a lease goes to the next caller, under a larger term', async () => {
        const { lease } = await acquire(store, 'alpha');
        await store.expireLease('alpha');
        const next = await acquire(store, 'alpha', { owner: 'bob' });
        expect(Number(next.lease.term)).toBeGreaterThan(Number(lease.term));
        expect(next.status.startsWithoutFinish).toBe(2);
      });

      test('terms grow with each lease', async () => {
        const terms: number[] = [];
        for (let run = 0; run < 5; run += 1) {
          const { lease } = await acquire(store, 'alpha');
          terms.push(Number(lease.term));
          await store.runStore.finish(lease, UNDONE);
        }
        expect(terms).toEqual([...new Set(terms)].sort((one, other) => one - other));
      });

      test('a term grows even if the clock has gone back', async () => {
        const { lease } = await acquire(store, 'alpha');
        const ahead = '9000000000000000';
        await store.status.save('alpha', { term: ahead }, { expected: fencingToken(lease) });
        await store.expireLease('alpha');
        expect((await acquire(store, 'alpha')).lease.term).toBe('9000000000000001');
      });

      test('a term grows even if all data was lost', async () => {
        const { lease } = await acquire(store, 'alpha');
        await store.loseData();
        await store.passTime();
        const next = await acquire(store, 'alpha');
        expect(Number(next.lease.term)).toBeGreaterThan(Number(lease.term));
        expect(await store.runStore.finish(lease, UNDONE)).toEqual({ state: 'refused' });
      });
    });

    describe('superseded ticks', () => {
      const soon = { kind: 'tick', supersededWithinMs: 10_000 } as const;
      const ask = (purpose: LeasePurpose) =>
        store.runStore.acquire({ registry: 'alpha', owner: 'bob', ttlMs: 60_000, purpose });
      /** Finishes a run that started `agoMs` ago. */
      const finished = async (agoMs: number, { succeeded = true } = {}) => {
        const { lease, nowMs } = await acquire(store, 'alpha');
        const at = new Date(nowMs - agoMs).toISOString();
        const lastSuccessAt = succeeded ? at : '2020-02-29T23:59:59.999Z';
        const changes = { startsWithoutFinish: 0, lastAttemptAt: at, lastSuccessAt };
        await store.runStore.finish(lease, { changes });
      };

      test('a tick soon after a successful run gets no lease, and changes nothing', async () => {
        await finished(1_000);
        const before = await store.status.load('alpha');
        expect(await ask(soon)).toEqual({ state: 'superseded' });
        expect(await store.status.load('alpha')).toEqual(before);
      });

      test.each([
        ['the run began longer ago', 10_500, true],
        ['the run failed', 1_000, false],
        ['the run is ahead of the clock', -5_000, true],
      ])('a tick gets the lease if %s', async (_when, agoMs, succeeded) => {
        await finished(agoMs, { succeeded });
        expect(await ask(soon)).toMatchObject({ state: 'acquired' });
      });

      test.each([{ kind: 'tick' }, { kind: 'request', force: false }] as const)(
        'a purpose without supersededWithinMs is never superseded: %j',
        async (purpose) => {
          await finished(1_000);
          expect(await ask(purpose)).toMatchObject({ state: 'acquired' });
        },
      );

      test('no tick is superseded while a request is open', async () => {
        await finished(1_000);
        const { lease } = await acquire(store, 'alpha');
        await ask({ kind: 'request', force: false });
        await store.runStore.finish(lease, UNDONE);
        expect(await ask(soon)).toMatchObject({ state: 'acquired' });
      });
    });

    describe('poison isolation', () => {
      const die = async (times: number) => {
        for (let death = 0; death < times; death += 1) {
          await acquire(store, 'alpha');
          await store.expireLease('alpha');
        }
      };
      const ask = (options: { isIsolated?: boolean; purpose?: LeasePurpose } = {}) =>
        store.runStore.acquire({
          registry: 'alpha',
          owner: 'bob',
          ttlMs: 60_000,
          purpose: TICK,
          ...options,
        });

      test.each([
        [0, 'acquired'],
        [1, 'acquired'],
        [2, 'isolate'],
        [3, 'acquired'],
      ])(
        'after %i crashes in a row, a run that is not isolated gets the answer %s',
        async (deaths, state) => {
          await die(deaths);
          expect(await ask()).toMatchObject({ state });
        },
      );

      test('the answer "isolate" changes nothing, but a request is counted', async () => {
        await die(2);
        const before = await store.status.load('alpha');
        expect(await ask({ purpose: { kind: 'request', force: true } })).toEqual({
          state: 'isolate',
          openRequest: 1,
        });
        expect(await store.status.load('alpha')).toEqual(before);
        expect(await store.readControl('alpha')).toMatchObject({ requested: 1, handled: 0 });
        expect(await ask({ isIsolated: true })).toMatchObject({ state: 'acquired' });
      });
    });

    describe('requests', () => {
      const request = (options: { force: boolean; owner?: string }) =>
        store.runStore.acquire({
          registry: 'alpha',
          owner: options.owner ?? 'bob',
          ttlMs: 60_000,
          purpose: { kind: 'request', force: options.force },
        });

      test('a request that gets the lease is counted', async () => {
        const acquisition = await request({ force: true });
        expect(acquisition).toMatchObject({
          state: 'acquired',
          control: { requested: 1, handled: 0, force: true },
        });
      });

      test('a request is counted even if the lease is busy, and is open when the run ends', async () => {
        const { lease } = await acquire(store, 'alpha');
        expect(await request({ force: false })).toMatchObject({ state: 'busy' });
        expect(await store.readControl('alpha')).toMatchObject({ requested: 1, handled: 0 });
        expect(await store.runStore.finish(lease, UNDONE)).toEqual({
          state: 'finished',
          openRequest: 1,
        });
      });

      test('a tick or a wake-up is not counted as a request', async () => {
        await acquire(store, 'alpha');
        const wakeUp = { kind: 'wake-up', request: 3 } as const;
        const options = { registry: 'alpha', owner: 'bob', ttlMs: 60_000 };
        await store.runStore.acquire({ ...options, purpose: wakeUp });
        await store.runStore.acquire({ ...options, purpose: TICK });
        expect(await store.readControl('alpha')).toMatchObject({ requested: 0 });
      });

      test('a run handles the requests made before it, and no later ones', async () => {
        const first = await request({ force: false });
        if (first.state !== 'acquired') throw new Error('expected the lease');
        await request({ force: false });
        const { requested } = first.control;
        expect(
          await store.runStore.finish(first.lease, { ...UNDONE, handledRequest: requested }),
        ).toEqual({ state: 'finished', openRequest: 2 });
        expect(await store.readControl('alpha')).toMatchObject({ requested: 2, handled: 1 });
      });

      test('a wake-up for a handled request gets no lease', async () => {
        const first = await request({ force: false });
        if (first.state !== 'acquired') throw new Error('expected the lease');
        await store.runStore.finish(first.lease, { ...UNDONE, handledRequest: 1 });
        const wakeUp = (number: number) =>
          store.runStore.acquire({
            registry: 'alpha',
            owner: 'bob',
            ttlMs: 60_000,
            purpose: { kind: 'wake-up', request: number },
          });
        expect(await wakeUp(1)).toEqual({ state: 'handled' });
        expect(await wakeUp(2)).toMatchObject({ state: 'acquired' });
      });

      test('the number of the last handled request never decreases', async () => {
        for (let made = 0; made < 3; made += 1) await request({ force: false });
        await store.expireLease('alpha');
        const late = await acquire(store, 'alpha');
        await store.runStore.finish(late.lease, { ...UNDONE, handledRequest: 3 });
        const { lease } = await acquire(store, 'alpha');
        await store.runStore.finish(lease, { ...UNDONE, handledRequest: 2 });
        expect(await store.readControl('alpha')).toMatchObject({ handled: 3 });
      });

      test('force is cleared only when no request is open any more', async () => {
        const first = await request({ force: true });
        if (first.state !== 'acquired') throw new Error('expected the lease');
        await request({ force: false });
        await store.runStore.finish(first.lease, { ...UNDONE, handledRequest: 1 });
        expect(await store.readControl('alpha')).toMatchObject({ force: true });
        const second = await acquire(store, 'alpha');
        await store.runStore.finish(second.lease, { ...UNDONE, handledRequest: 2 });
        expect(await store.readControl('alpha')).toMatchObject({ force: false });
      });

      test('force stays set after a run that handles no request', async () => {
        const first = await request({ force: true });
        if (first.state !== 'acquired') throw new Error('expected the lease');
        expect(await store.runStore.finish(first.lease, { ...UNDONE, handledRequest: 0 })).toEqual({
          state: 'finished',
          openRequest: 1,
        });
        expect(await store.readControl('alpha')).toMatchObject({ requested: 1, force: true });
      });
    });

    describe('renew', () => {
      const renew = (...leases: Lease[]) => store.runStore.renew(leases, { ttlMs: 90_000 });

      test('a current lease is extended', async () => {
        const { lease, nowMs } = await acquire(store, 'alpha', { ttlMs: 5_000 });
        expect(await renew(lease)).toEqual([{ held: true, stop: false }]);
        const { leaseUntil = 0 } = (await store.status.load('alpha')) ?? {};
        expect(leaseUntil).toBeGreaterThanOrEqual(nowMs + 90_000);
      });

      test('an expired lease that no other run took is also extended', async () => {
        const { lease } = await acquire(store, 'alpha');
        await store.expireLease('alpha');
        expect(await renew(lease)).toEqual([{ held: true, stop: false }]);
        expect(
          await store.runStore.acquire({
            registry: 'alpha',
            owner: 'bob',
            ttlMs: 1,
            purpose: TICK,
          }),
        ).toMatchObject({ state: 'busy' });
      });

      test('a lease that another run took, a released lease and an unknown lease are refused', async () => {
        const { lease: taken } = await acquire(store, 'alpha');
        await store.expireLease('alpha');
        await acquire(store, 'alpha', { owner: 'bob' });
        const { lease: freed } = await acquire(store, 'beta');
        await store.runStore.finish(freed, UNDONE);
        const unknown = { registry: 'gamma', term: '1', owner: 'alice' };
        expect(await renew(taken, freed, unknown)).toEqual([
          { held: false },
          { held: false },
          { held: false },
        ]);
      });

      test('an earlier term of the same owner is refused', async () => {
        const { lease } = await acquire(store, 'alpha');
        await store.expireLease('alpha');
        await acquire(store, 'alpha');
        expect(await renew(lease)).toEqual([{ held: false }]);
      });

      test('answers come in the order of the leases', async () => {
        const { lease: alpha } = await acquire(store, 'alpha');
        const { lease: beta } = await acquire(store, 'beta');
        const stale = { ...alpha, owner: 'bob' };
        expect(await renew(stale, beta)).toEqual([{ held: false }, { held: true, stop: false }]);
      });

      test.each([{ suspended: true } as const, { pinned: 'a'.repeat(64) }])(
        'a renewal tells the run to stop if an operator has set %o',
        async (change) => {
          const { lease } = await acquire(store, 'alpha');
          await store.changeControl('alpha', change);
          expect(await renew(lease)).toEqual([{ held: true, stop: true }]);
        },
      );
    });

    describe('finish', () => {
      test('changes the status, logs the run and releases the lease', async () => {
        const { lease } = await acquire(store, 'alpha');
        const changes = { phase: 'Complete', message: 'done', startsWithoutFinish: 0 } as const;
        const run = testRun(lease);
        expect(await store.runStore.finish(lease, { changes, run })).toEqual({ state: 'finished' });
        const status = await store.status.load('alpha');
        expect(status).toMatchObject({ ...changes, term: lease.term });
        expect(status?.owner).toBeUndefined();
        expect(status?.leaseUntil).toBeUndefined();
        expect(await store.listRuns('alpha')).toEqual([run]);
        await acquire(store, 'alpha', { owner: 'bob' });
      });

      test('logs no run if none is given', async () => {
        const { lease } = await acquire(store, 'alpha');
        await store.runStore.finish(lease, UNDONE);
        expect(await store.listRuns('alpha')).toEqual([]);
      });

      test('logs runs newest first', async () => {
        const first = await acquire(store, 'alpha');
        await store.runStore.finish(first.lease, { ...UNDONE, run: testRun(first.lease) });
        const second = await acquire(store, 'alpha');
        await store.runStore.finish(second.lease, { ...UNDONE, run: testRun(second.lease) });
        expect((await store.listRuns('alpha')).map(({ term }) => term)).toEqual([
          second.lease.term,
          first.lease.term,
        ]);
      });

      test('removes a field of the status that is set to undefined', async () => {
        const first = await acquire(store, 'alpha');
        await store.runStore.finish(first.lease, { changes: { message: 'bad', durationMs: 3 } });
        const second = await acquire(store, 'alpha');
        await store.runStore.finish(second.lease, { changes: { message: undefined } });
        const status = await store.status.load('alpha');
        expect(status?.message).toBeUndefined();
        expect(status?.durationMs).toBe(3);
      });

      test('is refused and changes nothing if another run took the lease', async () => {
        const { lease: stale } = await acquire(store, 'alpha');
        await store.expireLease('alpha');
        const { lease } = await acquire(store, 'alpha', { owner: 'bob' });
        const before = await store.status.load('alpha');
        const ending = { changes: { message: 'stale' }, run: testRun(stale), handledRequest: 9 };
        expect(await store.runStore.finish(stale, ending)).toEqual({ state: 'refused' });
        expect(await store.status.load('alpha')).toEqual(before);
        expect(await store.listRuns('alpha')).toEqual([]);
        expect(await store.readControl('alpha')).toMatchObject({ handled: 0 });
        expect(await store.runStore.renew([lease], { ttlMs: 1_000 })).toMatchObject([
          { held: true },
        ]);
      });

      test('is refused and creates no status if the store has lost it', async () => {
        const { lease } = await acquire(store, 'alpha');
        await store.loseData();
        expect(await store.runStore.finish(lease, UNDONE)).toEqual({ state: 'refused' });
        expect(await store.status.load('alpha')).toBeUndefined();
      });

      test('returns the same result if it is repeated, and writes nothing more', async () => {
        const { lease } = await acquire(store, 'alpha', {
          purpose: { kind: 'request', force: false },
        });
        const ending = { changes: { message: 'once' }, run: testRun(lease), handledRequest: 1 };
        expect(await store.runStore.finish(lease, ending)).toEqual({ state: 'finished' });
        const again = { ...ending, changes: { message: 'twice' } };
        expect(await store.runStore.finish(lease, again)).toEqual({ state: 'finished' });
        expect(await store.status.load('alpha')).toMatchObject({ message: 'once' });
        expect(await store.listRuns('alpha')).toHaveLength(1);
      });
    });

    describe('publishAndFinish', () => {
      test('changes pointer, status, run log and lease together', async () => {
        const { lease } = await acquire(store, 'alpha');
        const publication = await storeSnapshot(store.snapshots, { lease, name: 'one' });
        const changes = { snapshot: publication.manifest, phase: 'Complete' } as const;
        const run = testRun(lease, { snapshot: publication.manifest });
        expect(await store.runStore.publishAndFinish(lease, { changes, run }, publication)).toEqual(
          { state: 'finished' },
        );
        expect(await store.snapshots.readPointer('alpha')).toBe(publication.manifest);
        expect(await store.status.load('alpha')).toMatchObject(changes);
        expect(await store.listRuns('alpha')).toEqual([run]);
        expect((await store.readControl('alpha')).pinned).toBeUndefined();
        await acquire(store, 'alpha');
      });

      test.each(['a chunk', 'the manifest', 'the mirror'] as const)(
        'changes nothing and keeps the lease if %s is missing',
        async (missing) => {
          const first = await acquire(store, 'alpha');
          const served = await storeSnapshot(store.snapshots, { lease: first.lease, name: 'one' });
          await store.runStore.publishAndFinish(first.lease, UNDONE, served);
          const { lease } = await acquire(store, 'alpha');
          const stored = await storeSnapshot(store.snapshots, { lease, name: 'two' });
          const { digest } = testBlob('never stored');
          const lacking = {
            'a chunk': { chunks: [...stored.chunks, digest] },
            'the manifest': { manifest: digest },
            'the mirror': { mirror: digest },
          };
          const publication = { ...stored, ...lacking[missing] };
          const before = await store.status.load('alpha');
          const ending = { changes: { message: 'no' }, run: testRun(lease), handledRequest: 5 };
          expect(await store.runStore.publishAndFinish(lease, ending, publication)).toEqual({
            state: 'incomplete',
            missing: digest,
          });
          expect(await store.snapshots.readPointer('alpha')).toBe(served.manifest);
          expect(await store.status.load('alpha')).toEqual(before);
          expect(await store.listRuns('alpha')).toEqual([]);
          expect(await store.readControl('alpha')).toMatchObject({ handled: 0 });
          expect(await store.runStore.finish(lease, UNDONE)).toEqual({ state: 'finished' });
        },
      );

      test('is refused and keeps the pointer if another run took the lease', async () => {
        const { lease: stale } = await acquire(store, 'alpha');
        const publication = await storeSnapshot(store.snapshots, { lease: stale, name: 'one' });
        await store.expireLease('alpha');
        await acquire(store, 'alpha', { owner: 'bob' });
        expect(await store.runStore.publishAndFinish(stale, UNDONE, publication)).toEqual({
          state: 'refused',
        });
        expect(await store.snapshots.readPointer('alpha')).toBeUndefined();
      });

      test('pins the published snapshot in the same step for a rollback', async () => {
        const { lease } = await acquire(store, 'alpha');
        const publication = await storeSnapshot(store.snapshots, { lease, name: 'one' });
        await store.runStore.publishAndFinish(lease, UNDONE, { ...publication, pin: true });
        expect(await store.readControl('alpha')).toMatchObject({ pinned: publication.manifest });
      });
    });

    describe('confirmUnchanged', () => {
      const CHECKED = { lastSuccessAt: '2026-02-01T12:01:00.000Z' };
      const confirm = (term: string) =>
        store.runStore.confirmUnchanged('alpha', { term, changes: CHECKED });
      /** Returns the term of an ended run. */
      const runOnce = async () => {
        const { lease } = await acquire(store, 'alpha');
        await store.runStore.finish(lease, { changes: { phase: 'Complete', message: 'done' } });
        return lease.term;
      };

      test('changes the status after the run of that term', async () => {
        const term = await runOnce();
        expect(await confirm(term)).toBe(true);
        expect(await store.status.load('alpha')).toMatchObject({
          ...CHECKED,
          message: 'done',
          term,
        });
        expect(await confirm(term)).toBe(true);
        await acquire(store, 'alpha');
      });

      test('is refused once another run has begun, and after it has ended', async () => {
        const term = await runOnce();
        const { lease } = await acquire(store, 'alpha');
        expect(await confirm(term)).toBe(false);
        expect(await confirm(lease.term)).toBe(false);
        await store.runStore.finish(lease, UNDONE);
        expect(await confirm(term)).toBe(false);
        expect((await store.status.load('alpha'))?.lastSuccessAt).toBeUndefined();
      });

      test('is refused while a request is open', async () => {
        const { lease } = await acquire(store, 'alpha', {
          purpose: { kind: 'request', force: false },
        });
        await store.runStore.finish(lease, UNDONE);
        expect(await confirm(lease.term)).toBe(false);
      });

      test.each([{ suspended: true } as const, { pinned: 'a'.repeat(64) }])(
        'is refused if an operator has set %o',
        async (change) => {
          const term = await runOnce();
          await store.changeControl('alpha', change);
          expect(await confirm(term)).toBe(false);
        },
      );

      test('is refused if the pointer does not name the snapshot of the status', async () => {
        const { lease } = await acquire(store, 'alpha');
        const publication = await storeSnapshot(store.snapshots, { lease, name: 'one' });
        const ending = { changes: { phase: 'Complete', snapshot: publication.manifest } } as const;
        await store.runStore.publishAndFinish(lease, ending, publication);
        expect(await confirm(lease.term)).toBe(true);

        await store.losePointer('alpha');
        expect(await confirm(lease.term)).toBe(false);
        const next = await acquire(store, 'alpha');
        expect(next.status.snapshot).toBe(publication.manifest);
        expect(next.served).toBeUndefined();

        await store.runStore.publishAndFinish(next.lease, UNDONE, publication);
        expect(await confirm(next.lease.term)).toBe(true);
        expect((await acquire(store, 'alpha')).served).toBe(publication.manifest);
      });

      test('is refused if all data was lost', async () => {
        const term = await runOnce();
        await store.loseData();
        expect(await confirm(term)).toBe(false);
        expect(await store.status.load('alpha')).toBeUndefined();
      });
    });
  });
}
