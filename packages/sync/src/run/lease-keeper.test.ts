import type { Lease } from '@syncline/contract';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Renewal, RunStore } from '../ports/run-store.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { createRecordingLogger, createRecordingObserver } from '../testing/recorders.ts';
import { createStaticConfigSource } from '../testing/static-config-source.ts';
import { configOf } from '../testing/sync-harness.ts';
import { type Interruption, LeaseKeeper, momentOf } from './lease-keeper.ts';

const TTL_MS = 12_000;
const MARGIN_MS = 2_000;
const HELD: Renewal = { held: true, stop: false };

function lease(registry: string): Lease {
  return { registry, term: '1', owner: 'alice' };
}

/** A keeper with fake timers, which a test moves with the clock or without it. */
function createKeeper(renew: RunStore['renew']) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const clock = createManualClock({ nowMs: 0 });
  const config = createStaticConfigSource(configOf({ name: 'alpha' }, { name: 'beta' }));
  const observer = createRecordingObserver();
  const renewals = vi.fn(renew);
  const unused = async () => {
    throw new Error('a keeper only renews');
  };
  const keeper = new LeaseKeeper({
    runStore: {
      renew: renewals,
      acquire: unused,
      finish: unused,
      publishAndFinish: unused,
      confirmUnchanged: unused,
    },
    config,
    clock,
    observer,
    logger: createRecordingLogger(),
    times: { leaseTtlMs: TTL_MS, renewEveryMs: 4_000, marginMs: MARGIN_MS },
  });
  return {
    config,
    clock,
    observer,
    renewals,
    hold(registry: string, askedAt = momentOf(clock)) {
      const abort = vi.fn<(reason: Interruption) => void>();
      return { release: keeper.hold(lease(registry), { askedAt, abort }), abort };
    },
    /** Lets time pass, in steps no longer than any timer of the keeper. */
    async pass(ms: number, { clockToo = true } = {}) {
      for (let passed = 0; passed < ms; passed += 500) {
        if (clockToo) clock.advance(500);
        await vi.advanceTimersByTimeAsync(500);
      }
    },
  };
}

describe('LeaseKeeper', () => {
  test('renews all leases in one call, periodically', async () => {
    const keeper = createKeeper(async (leases) => leases.map(() => HELD));
    const [alpha, beta] = [keeper.hold('alpha'), keeper.hold('beta')];
    await keeper.pass(60_000);
    expect(keeper.renewals).toHaveBeenCalledTimes(15);
    expect(keeper.renewals).toHaveBeenLastCalledWith([lease('alpha'), lease('beta')], {
      ttlMs: TTL_MS,
    });
    expect(alpha.abort).not.toHaveBeenCalled();
    expect(beta.abort).not.toHaveBeenCalled();
  });

  test('a released lease is no longer renewed, and no timer runs without a lease', async () => {
    const keeper = createKeeper(async (leases) => leases.map(() => HELD));
    const [alpha, beta] = [keeper.hold('alpha'), keeper.hold('beta')];
    alpha.release();
    await keeper.pass(4_000);
    expect(keeper.renewals).toHaveBeenCalledWith([lease('beta')], { ttlMs: TTL_MS });
    beta.release();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a refused renewal ends only the run of that lease', async () => {
    const keeper = createKeeper(async (leases) =>
      leases.map(({ registry }) => (registry === 'alpha' ? { held: false } : HELD)),
    );
    const [alpha, beta] = [keeper.hold('alpha'), keeper.hold('beta')];
    await keeper.pass(12_000);
    expect(alpha.abort).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ kind: 'lease-lost' }),
    );
    expect(beta.abort).not.toHaveBeenCalled();
    expect(keeper.observer.counts.failedRenewals).toBe(1);
  });

  test('an operator can end the run', async () => {
    const keeper = createKeeper(async (leases) => leases.map(() => ({ held: true, stop: true })));
    const { abort } = keeper.hold('alpha');
    await keeper.pass(4_000);
    expect(abort).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ kind: 'operator' }));
  });

  test('the run of a registry that is removed from the config is ended', async () => {
    const keeper = createKeeper(async (leases) => leases.map(() => HELD));
    const { abort } = keeper.hold('alpha');
    keeper.config.replace(configOf({ name: 'beta' }));
    await keeper.pass(4_000);
    expect(abort).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ kind: 'operator' }));
  });

  test('a lease whose acquisition is answered too late is given up at once', async () => {
    const keeper = createKeeper(async (leases) => leases.map(() => HELD));
    const askedAt = momentOf(keeper.clock);
    keeper.clock.advance(TTL_MS - MARGIN_MS);
    const { abort } = keeper.hold('alpha', askedAt);
    expect(abort).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ kind: 'lease-lost' }));
  });

  test('a run continues if a renewal succeeds in time after others failed', async () => {
    let failing = true;
    const keeper = createKeeper(async (leases) => {
      if (failing) throw new Error('the store is away');
      return leases.map(() => HELD);
    });
    const { abort } = keeper.hold('alpha');
    await keeper.pass(4_500);
    expect(keeper.observer.counts.failedRenewals).toBe(1);
    failing = false;
    await keeper.pass(60_000);
    expect(abort).not.toHaveBeenCalled();
  });

  test.each([
    ['that fails', () => Promise.reject(new Error('the store is away'))],
    ['that is never answered', () => new Promise<Renewal[]>(() => {})],
  ])('a renewal %s ends the run before its lease ends', async (_how, renew) => {
    const keeper = createKeeper(renew);
    const { abort } = keeper.hold('alpha');
    await keeper.pass(TTL_MS - MARGIN_MS - 500);
    expect(abort).not.toHaveBeenCalled();
    await keeper.pass(MARGIN_MS - 500);
    expect(abort).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ kind: 'lease-lost' }));
  });

  test('a renewed lease lasts from the moment at which the renewal was requested', async () => {
    let answer: ((renewals: Renewal[]) => void) | undefined;
    const keeper = createKeeper((leases) => {
      if (answer !== undefined) return new Promise(() => {});
      return new Promise((resolve) => {
        answer = () => resolve(leases.map(() => HELD));
      });
    });
    const { abort } = keeper.hold('alpha');
    await keeper.pass(9_000);
    answer?.([]);
    // Asked for at 4 s: the lease lasts until 16 s, and is given up at 14 s.
    await keeper.pass(4_500);
    expect(abort).not.toHaveBeenCalled();
    await keeper.pass(1_500);
    expect(abort).toHaveBeenCalledOnce();
  });

  test('leases are given up if the wall clock shows that the machine slept', async () => {
    const keeper = createKeeper(() => new Promise(() => {}));
    const { abort } = keeper.hold('alpha');
    keeper.clock.jump(60_000);
    await keeper.pass(1_000, { clockToo: false });
    expect(abort).toHaveBeenCalledOnce();
  });

  test('a wall clock that goes back does not extend a lease', async () => {
    const keeper = createKeeper(() => new Promise(() => {}));
    const { abort } = keeper.hold('alpha');
    keeper.clock.jump(-60_000);
    await keeper.pass(TTL_MS - 500);
    expect(abort).toHaveBeenCalledOnce();
  });
});
