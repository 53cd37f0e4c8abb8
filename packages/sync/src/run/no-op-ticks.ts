/**
 * Handles the many ticks that find nothing to do. If the registry's last run ended in this process, a tick asks the
 * source first. If nothing has changed, the tick confirms this in one round trip, without a lease. The store accepts
 * the confirmation only if no run has started since. If the source has changed, the tick becomes a run with this
 * answer.
 */
import { controlSchema, onAbort, type RegistryConfig, type SyncStatus } from '@syncline/contract';
import type { MemoryAccount, UpstreamUsage } from '@syncline/sources';
import type { SyncDecision } from '../perform/manager.ts';
import type { Tick } from '../ports/tick-source.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

/** How long the last reading of the store's clock stays valid. */
const CLOCK_VALID_MS = 60_000;

const UNTOUCHED_CONTROL = controlSchema.parse({});

type NoOpTickDependencies = Pick<
  SyncDependencies,
  'manager' | 'runStore' | 'clock' | 'logger' | 'capacity' | 'memory'
>;

/** The result of asking the source without a lease. */
export interface NoOpCheck {
  /** Whether the tick is done: nothing has changed, and the status records this. */
  readonly isNoOp: boolean;
  /** `undefined` if asking failed, took too long or was stopped, or if the store refused the confirmation. */
  readonly decision: SyncDecision | undefined;
  /** The term of the last run. */
  readonly term: string;
  /** What the check has cost the upstream. */
  readonly upstream: UpstreamUsage;
  /** The memory of what the check has kept for a run. The caller must close it, unless a run takes it over. */
  readonly memory: MemoryAccount;
  /** The credentials that the check has read. */
  readonly credentials: Set<string>;
}

interface Question extends Omit<NoOpCheck, 'isNoOp' | 'decision'> {
  readonly registry: RegistryConfig;
  readonly status: SyncStatus;
  readonly nowMs: number;
}

export class NoOpTicks {
  readonly #deps: NoOpTickDependencies;
  /** The status after the last run of each registry in this process. A new config starts without entries. */
  readonly #lastRuns = new WeakMap<RegistryConfig, SyncStatus>();
  #storeClock: { readonly nowMs: number; readonly monotonicMs: number } | undefined;

  constructor(deps: NoOpTickDependencies) {
    this.#deps = deps;
  }

  /** Remembers the status after a run, and the time of the store's clock when the run started. */
  remember(
    registry: RegistryConfig,
    { status, nowMs }: { status: SyncStatus; nowMs: number },
  ): void {
    this.#lastRuns.set(registry, status);
    this.#storeClock = { nowMs, monotonicMs: this.#deps.clock.monotonic() };
  }

  /** Asks the source, and confirms if nothing has changed. Returns `undefined` if the tick needs a run anyway. */
  async check(
    registry: RegistryConfig,
    tick: Tick,
    stop: AbortSignal,
  ): Promise<NoOpCheck | undefined> {
    const status = this.#lastRuns.get(registry);
    const nowMs = this.#now();
    const canBeNoOp = tick.trigger === 'schedule' && !tick.force && status?.phase === 'Complete';
    if (!canBeNoOp || status.term === undefined || nowMs === undefined) return undefined;
    const upstream = { requests: 0, bytes: 0 };
    const memory = this.#deps.memory.open(registry.name);
    const asked = { term: status.term, upstream, memory, credentials: new Set<string>() };
    const question: Question = { ...asked, registry, status, nowMs };
    const decision = await this.#ask(question, stop);
    const isUnchanged = decision?.sync === false && decision.outcome === 'unchanged';
    const isNoOp = isUnchanged && (await this.#confirm(question, decision));
    // After a refusal, the run must decide with the current state.
    return { ...asked, decision: isUnchanged && !isNoOp ? undefined : decision, isNoOp };
  }

  async #confirm(
    { registry, status, nowMs, term }: Question,
    { reason, revision = status.revision }: SyncDecision & { sync: false },
  ): Promise<boolean> {
    const checkedAt = new Date(nowMs).toISOString();
    const confirmed = await this.#deps.runStore.confirmUnchanged(registry.name, {
      term,
      changes: {
        ...(reason === status.reason ? {} : { reason }),
        lastAttemptAt: checkedAt,
        lastSuccessAt: checkedAt,
        ...(revision === status.revision ? {} : { revision }),
      },
    });
    if (confirmed) this.#lastRuns.set(registry, { ...status, reason, revision });
    else this.#lastRuns.delete(registry);
    return confirmed;
  }

  async #ask(
    { registry, status, nowMs, upstream, memory, credentials }: Question,
    stop: AbortSignal,
  ): Promise<SyncDecision | undefined> {
    const { manager, logger, capacity } = this.#deps;
    const check = new AbortController();
    const timer = setTimeout(() => check.abort(), registry.syncPolicy.timeout);
    // `AbortSignal.any` would cost as much as the rest of the check.
    using _listening = onAbort(stop, () => check.abort());
    try {
      const asking = manager.shouldSync({
        registry,
        status,
        control: UNTOUCHED_CONTROL,
        // `confirmUnchanged` compares the pointer.
        served: status.snapshot,
        trigger: 'schedule',
        force: false,
        signal: check.signal,
        now: () => nowMs,
        upstream,
        memory,
        credentials,
        logger,
        report: () => {},
      });
      return await capacity.hungWork.watch(registry.name, asking, check.signal);
    } catch (error) {
      logger.debug({ err: error, registry: registry.name }, 'check before the run failed');
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  #now(): number | undefined {
    if (this.#storeClock === undefined) return undefined;
    const sinceMs = this.#deps.clock.monotonic() - this.#storeClock.monotonicMs;
    return sinceMs < CLOCK_VALID_MS ? this.#storeClock.nowMs + sinceMs : undefined;
  }
}
