/**
 * Most ticks find nothing to do. If this process knows how the last run of the registry ended, a tick can ask the source
 * first, and then confirm in one round trip that all is as it was, without a lease: the store accepts that only if no
 * run has begun since. If the source has changed, the run goes on with what was asked.
 */
import {
  type Clock,
  controlSchema,
  type Logger,
  type RegistryConfig,
  type SyncStatus,
} from '@syncline/contract';
import type { UpstreamUsage } from '@syncline/sources';
import type { HungWork } from '../capacity/hung-work.ts';
import type { Manager, SyncDecision } from '../perform/manager.ts';
import type { RunStore } from '../ports/run-store.ts';
import type { Tick } from '../ports/tick-source.ts';

/** How long the store's clock is carried on after it was last read. */
const CLOCK_VALID_MS = 60_000;

const UNTOUCHED_CONTROL = controlSchema.parse({});

export interface NoOpTickDependencies {
  readonly manager: Manager;
  readonly runStore: Pick<RunStore, 'confirmUnchanged'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hungWork: HungWork;
}

/** What asking the source without a lease came to. */
export interface NoOpCheck {
  /** The tick is done: nothing has changed, and the status says so. */
  readonly isNoOp: boolean;
  /** What was decided; `undefined` if asking failed, took too long or was stopped. */
  readonly decision: SyncDecision | undefined;
  /** Of the run after which it was asked. */
  readonly term: string;
  /** What it has cost the upstream, and what it has read to be let in. */
  readonly upstream: UpstreamUsage;
  readonly credentials: Set<string>;
}

export class NoOpTicks {
  readonly #deps: NoOpTickDependencies;
  /** What the last run of each registry left, as far as it ran here; a new config begins anew. */
  readonly #lastRuns = new WeakMap<RegistryConfig, SyncStatus>();
  #storeClock: { readonly nowMs: number; readonly monotonicMs: number } | undefined;

  constructor(deps: NoOpTickDependencies) {
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

  /** Asks the source, and confirms that nothing has changed if that is so. `undefined` if the tick needs a run anyway. */
  async check(
    registry: RegistryConfig,
    tick: Tick,
    stop: AbortSignal,
  ): Promise<NoOpCheck | undefined> {
    const status = this.#lastRuns.get(registry);
    const nowMs = this.#now();
    const canBeNoOp = tick.trigger === 'schedule' && !tick.force && status?.phase === 'Complete';
    if (!canBeNoOp || status.term === undefined || nowMs === undefined) return undefined;
    const upstream: UpstreamUsage = { requests: 0, bytes: 0 };
    const asked = { term: status.term, upstream, credentials: new Set<string>() };
    const decision = await this.#ask(registry, { status, nowMs, stop, asked });
    const isNoOp =
      decision?.sync === false &&
      decision.outcome === 'unchanged' &&
      (await this.#confirm(registry, { status, nowMs, decision, term: asked.term }));
    return { ...asked, decision, isNoOp };
  }

  async #confirm(
    registry: RegistryConfig,
    {
      status,
      nowMs,
      decision: { reason, revision },
      term,
    }: {
      status: SyncStatus;
      nowMs: number;
      decision: SyncDecision & { sync: false };
      term: string;
    },
  ): Promise<boolean> {
    const checkedAt = new Date(nowMs).toISOString();
    const confirmed = await this.#deps.runStore.confirmUnchanged(registry.name, {
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

  async #ask(
    registry: RegistryConfig,
    {
      status,
      nowMs,
      stop,
      asked,
    }: {
      status: SyncStatus;
      nowMs: number;
      stop: AbortSignal;
      asked: Pick<NoOpCheck, 'upstream' | 'credentials'>;
    },
  ): Promise<SyncDecision | undefined> {
    const { manager, logger, hungWork } = this.#deps;
    const check = new AbortController();
    const end = () => check.abort();
    const timer = setTimeout(end, registry.syncPolicy.timeout);
    // Not `AbortSignal.any`, which costs as much as the rest of this.
    if (stop.aborted) end();
    stop.addEventListener('abort', end, { once: true });
    try {
      const asking = manager.shouldSync({
        registry,
        status,
        control: UNTOUCHED_CONTROL,
        trigger: 'schedule',
        force: false,
        signal: check.signal,
        now: () => nowMs,
        ...asked,
        logger,
        report: () => {},
      });
      return await hungWork.watch(registry.name, asking, check.signal);
    } catch (error) {
      logger.debug({ err: error, registry: registry.name }, 'check before the run failed');
      return undefined;
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
    }
  }

  #now(): number | undefined {
    if (this.#storeClock === undefined) return undefined;
    const sinceMs = this.#deps.clock.monotonic() - this.#storeClock.monotonicMs;
    return sinceMs < CLOCK_VALID_MS ? this.#storeClock.nowMs + sinceMs : undefined;
  }
}
