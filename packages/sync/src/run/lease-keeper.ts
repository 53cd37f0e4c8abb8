import type { Clock, Lease } from '@syncline/contract';
import type { SyncDependencies } from './sync-dependencies.ts';

export interface LeaseTimes {
  /** How long a lease lasts unless it is renewed. */
  readonly leaseTtlMs: number;
  readonly renewEveryMs: number;
  /** A holder that cannot renew gives up this long before its lease ends. */
  readonly marginMs: number;
}

export const DEFAULT_LEASE_TIMES: LeaseTimes = {
  leaseTtlMs: 12_000,
  renewEveryMs: 4_000,
  marginMs: 2_000,
};

/** Why a run was ended from outside. The registry is not at fault, and is run again. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly kind: 'stopping' | 'lease-lost' | 'operator';

  constructor(kind: Interruption['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A moment on both clocks of a process: the wall clock jumps, the monotonic one stops while the machine sleeps. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.now(), monotonicMs: clock.monotonic() };
}

export interface HoldOptions {
  /** When the lease was asked for. It lasts from then, however late the answer came. */
  readonly askedAt: Moment;
  /** Called with the reason if the lease is lost; at once if it has ended already. */
  readonly abort: (reason: Interruption) => void;
}

interface HeldLease extends Pick<HoldOptions, 'abort'> {
  readonly lease: Lease;
  /** When the last successful renewal was asked for. */
  renewedAt: Moment;
}

type LeaseKeeperDependencies = Pick<
  SyncDependencies,
  'runStore' | 'config' | 'clock' | 'logger' | 'observer' | 'times'
>;

/**
 * Renews the leases of all runs in this process in one round trip. Ends a run whose lease may be gone: if a renewal is
 * refused, or if none has succeeded for too long on either clock.
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
   * @returns what ends the renewals
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
      // So often that an expired lease is dropped within the margin.
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
          this.#abort(held, new Interruption('lease-lost', 'the lease is no longer held'));
        } else if (renewal.stop) {
          this.#abort(held, new Interruption('operator', 'suspended or pinned while it ran'));
        } else if (config.registry(held.lease.registry) === undefined) {
          this.#abort(held, new Interruption('operator', 'removed from the config while it ran'));
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
      this.#abort(held, new Interruption('lease-lost', `no renewal for ${Math.round(sinceMs)} ms`));
    }
  }

  #abort(held: HeldLease, reason: Interruption): void {
    if (this.#held.delete(held)) held.abort(reason);
  }
}
