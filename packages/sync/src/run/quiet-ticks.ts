/**
 * Most ticks find nothing to do. One that comes after a run of which this process knows how it ended can
 * ask the source first, and then tell the store in one round trip that all is as it was, without taking
 * the lease: the store accepts that only if no run has begun since. Whatever else it finds, the tick goes
 * the whole way.
 */
import {
  type Clock,
  controlSchema,
  type Logger,
  type RegistryConfig,
  type SyncStatus,
} from '@syncline/contract';
import type { Manager, SyncDecision } from '../perform/manager.ts';
import type { RunStore } from '../ports/run-store.ts';
import type { Tick } from '../ports/tick-source.ts';
import type { Stragglers } from './stragglers.ts';

/** The store's clock is carried on for so long from when it was last read. */
const CLOCK_VALID_MS = 60_000;

const UNTOUCHED_CONTROL = controlSchema.parse({});

export interface QuietTickDependencies {
  readonly manager: Manager;
  readonly runStore: Pick<RunStore, 'confirmUnchanged'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stragglers: Stragglers;
}

export class QuietTicks {
  readonly #deps: QuietTickDependencies;
  /** What the last run of each registry left, as far as it ran here; a new config begins anew. */
  readonly #lastRuns = new WeakMap<RegistryConfig, SyncStatus>();
  #storeClock: { readonly nowMs: number; readonly monotonicMs: number } | undefined;

  constructor(deps: QuietTickDependencies) {
    this.#deps = deps;
  }

  /** Notes how a run has ended, and what the store's clock said when it began. */
  remember(
    registry: RegistryConfig,
    { status, nowMs }: { status: SyncStatus; nowMs: number },
  ): void {
    this.#lastRuns.set(registry, status);
    this.#storeClock = { nowMs, monotonicMs: this.#deps.clock.monotonic() };
  }

  /** @returns whether the tick is dealt with: nothing has changed, and the status says so */
  async settle(registry: RegistryConfig, tick: Tick, signal: AbortSignal): Promise<boolean> {
    const status = this.#lastRuns.get(registry);
    const nowMs = this.#now();
    const isQuiet = tick.trigger === 'schedule' && !tick.force && status?.phase === 'Complete';
    if (!isQuiet || status.term === undefined || nowMs === undefined) return false;
    const { runStore } = this.#deps;
    const decision = await this.#ask(registry, { status, nowMs, signal });
    if (decision === undefined || decision.sync || decision.because !== 'unchanged') return false;
    const checkedAt = new Date(nowMs).toISOString();
    const { term } = status;
    const { reason, revision } = decision;
    const confirmed = await runStore.confirmUnchanged(registry.name, {
      term,
      changes: {
        ...(reason === status.reason ? {} : { reason }),
        lastAttemptAt: checkedAt,
        lastSuccessAt: checkedAt,
        ...(revision === undefined ? {} : { revision }),
      },
    });
    if (!confirmed) this.#lastRuns.delete(registry);
    else if (revision !== undefined || reason !== status.reason) {
      this.#lastRuns.set(registry, { ...status, reason, revision: revision ?? status.revision });
    }
    return confirmed;
  }

  /** `undefined` where that failed, took too long or was stopped: going the whole way says which. */
  async #ask(
    registry: RegistryConfig,
    { status, nowMs, signal }: { status: SyncStatus; nowMs: number; signal: AbortSignal },
  ): Promise<SyncDecision | undefined> {
    const { manager, logger, stragglers } = this.#deps;
    const check = new AbortController();
    const end = () => check.abort();
    const timer = setTimeout(end, registry.syncPolicy.timeout);
    // Not `AbortSignal.any`, which costs as much as the rest of this.
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    try {
      const asking = manager.shouldSync({
        registry,
        status,
        control: UNTOUCHED_CONTROL,
        trigger: 'schedule',
        force: false,
        signal: check.signal,
        now: () => nowMs,
        upstream: { requests: 0, bytes: 0 },
        credentials: new Set(),
        logger,
        report: () => {},
      });
      return await stragglers.watch(registry.name, asking, check.signal);
    } catch (error) {
      logger.debug({ err: error, registry: registry.name }, 'could not settle the tick quietly');
      return undefined;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  #now(): number | undefined {
    if (this.#storeClock === undefined) return undefined;
    const sinceMs = this.#deps.clock.monotonic() - this.#storeClock.monotonicMs;
    return sinceMs < CLOCK_VALID_MS ? this.#storeClock.nowMs + sinceMs : undefined;
  }
}
