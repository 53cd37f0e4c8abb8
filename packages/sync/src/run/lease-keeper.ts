import type { Clock, Lease } from '@syncline/contract';
import type { SyncDependencies } from './sync-dependencies.ts';

export interface LeaseTimes {
  /** How long a lease lasts without a renewal. */
  readonly leaseTtlMs: number;
  readonly renewEveryMs: number;
  /** How long before the end of its lease a run without renewals gives up. */
  readonly marginMs: number;
}

export const DEFAULT_LEASE_TIMES: LeaseTimes = {
  leaseTtlMs: 12_000,
  renewEveryMs: 4_000,
  marginMs: 2_000,
};

/** The outside reason that ended a run. The registry is not at fault, so another run follows. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly kind: 'stopping' | 'lease-lost' | 'operator';

  constructor(kind: Interruption['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A moment on both clocks: the wall clock may jump, and the monotonic clock stops while the machine sleeps. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.now(), monotonicMs: clock.monotonic() };
}

export interface HoldOptions {
  /** When the run asked for the lease. The lease lasts from this moment, even if the answer came late. */
  readonly askedAt: Moment;
  /** Called with the reason if the lease is lost, or at once if it has already ended. */
  readonly abort: (reason: Interruption) => void;
}

interface HeldLease extends Pick<HoldOptions, 'abort'> {
  readonly lease: Lease;
  /** When the keeper asked for the last successful renewal. */
  renewedAt: Moment;
}

type LeaseKeeperDependencies = Pick<
  SyncDependencies,
  'runStore' | 'config' | 'clock' | 'logger' | 'observer' | 'times'
>;

/**
 * Renews the leases of all runs in this process in one round trip. Ends a run if the store refuses its renewal, or if
 * no renewal has succeeded for too long on either clock.
 */
export class LeaseKeeper {
  readonly #deps: LeaseKeeperDependencies;
  readonly #held = new Set<HeldLease>();
  #timers: NodeJS.Timeout[] = [];
  #renewing = false;

  constructor(deps: LeaseKeeperDependencies) {
    this.#deps = deps;
  }

  /**
   * Renews `lease` until it is lost.
   *
   * @returns a function that ends the renewals
   */
  hold(lease: Lease, { askedAt, abort }: HoldOptions): () => void {
    const held: HeldLease = { lease, abort, renewedAt: askedAt };
    this.#held.add(held);
    if (this.#timers.length === 0) this.#start();
    this.#dropExpired();
    return () => {
      this.#held.delete(held);
      if (this.#held.size > 0) return;
      for (const timer of this.#timers) clearInterval(timer);
      this.#timers = [];
    };
  }

  #start(): void {
    const { renewEveryMs, marginMs } = this.#deps.times;
    this.#timers = [
      setInterval(() => void this.#renew(), renewEveryMs),
      // Often enough to drop an expired lease within the margin.
      setInterval(() => this.#dropExpired(), marginMs / 2),
    ];
  }

  async #renew(): Promise<void> {
    if (this.#renewing || this.#held.size === 0) return;
    this.#renewing = true;
    const { runStore, config, clock, times, logger, observer } = this.#deps;
    const asked = [...this.#held];
    const leases = asked.map(({ lease }) => lease);
    const askedAt = momentOf(clock);
    try {
      const [renewals] = await Promise.all([
        runStore.renew(leases, { ttlMs: times.leaseTtlMs }),
        config.refresh(),
      ]);
      for (const [index, held] of asked.entries()) {
        const renewal = renewals[index];
        if (renewal?.held !== true) {
          observer.renewalFailed();
          this.#abort(held, new Interruption('lease-lost', 'the run lost its lease'));
        } else if (renewal.stop) {
          this.#abort(
            held,
            new Interruption('operator', 'the registry was suspended or pinned during the run'),
          );
        } else if (config.registry(held.lease.registry) === undefined) {
          this.#abort(
            held,
            new Interruption('operator', 'the registry was removed from the config during the run'),
          );
        } else {
          held.renewedAt = askedAt;
        }
      }
    } catch (error) {
      observer.renewalFailed();
      logger.warn({ err: error, leases: asked.length }, 'could not renew leases');
    } finally {
      this.#renewing = false;
    }
  }

  #dropExpired(): void {
    const { clock, times } = this.#deps;
    const limitMs = times.leaseTtlMs - times.marginMs;
    for (const held of [...this.#held]) {
      const sinceMs = Math.max(
        clock.now() - held.renewedAt.wallMs,
        clock.monotonic() - held.renewedAt.monotonicMs,
      );
      if (sinceMs < limitMs) continue;
      this.#deps.observer.renewalFailed();
      this.#abort(
        held,
        new Interruption('lease-lost', `the lease was not renewed for ${Math.round(sinceMs)} ms`),
      );
    }
  }

  #abort(held: HeldLease, reason: Interruption): void {
    if (this.#held.delete(held)) held.abort(reason);
  }
}
