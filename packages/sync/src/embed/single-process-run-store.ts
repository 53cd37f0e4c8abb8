import {
  type Clock,
  type Control,
  controlSchema,
  fencingToken,
  type Lease,
  PENDING_STATUS,
  type SyncStatus,
  storedToken,
} from '@syncline/contract';
import { refusalOf } from '../ports/lease-rules.ts';
import type { Acquisition, Finished, RunEnding, RunStore } from '../ports/run-store.ts';
import type { StatusPersistence } from '../ports/status-persistence.ts';

/**
 * Leases for a single process, kept in whatever keeps its status. There is no run log, and requests are
 * counted in memory: who needs either, or a second process, wants Redis.
 */
export function createSingleProcessRunStore({
  status,
  clock,
}: {
  status: StatusPersistence;
  clock: Clock;
}): RunStore {
  const controls = new Map<string, Control>();
  const running = new Map<string, { owner: string; term?: string; untilMs: number }>();
  const controlOf = (registry: string) => controls.get(registry) ?? controlSchema.parse({});

  return {
    async acquire({ registry, owner, ttlMs, purpose, isIsolated = false }): Promise<Acquisition> {
      const nowMs = clock.now();
      let control = controlOf(registry);
      if (purpose.kind === 'request') {
        const force = control.force || purpose.force;
        control = { ...control, requested: control.requested + 1, force };
        controls.set(registry, control);
      }
      if (purpose.kind === 'wake-up' && control.handled >= purpose.request)
        return { state: 'handled' };
      const other = running.get(registry);
      if (other !== undefined && other.untilMs > nowMs) {
        return { state: 'busy', owner: other.owner, leaseUntilMs: other.untilMs };
      }
      // Before anything is awaited: a second tick of this process must find it.
      running.set(registry, { owner, untilMs: nowMs + ttlMs });
      try {
        const before = (await status.load(registry)) ?? PENDING_STATUS;
        const refusal = refusalOf({ purpose, isIsolated }, { status: before, control, nowMs });
        if (refusal !== undefined) {
          running.delete(registry);
          return refusal;
        }
        const acquired = await claim({ registry, owner, ttlMs, nowMs, before });
        if (acquired !== undefined) return { state: 'acquired', ...acquired, nowMs, control };
      } catch (error) {
        running.delete(registry);
        throw error;
      }
      running.delete(registry);
      return { state: 'busy', owner: 'another process', leaseUntilMs: nowMs + ttlMs };
    },

    async renew(leases, { ttlMs }) {
      const untilMs = clock.now() + ttlMs;
      return leases.map(({ registry, owner, term }) => {
        const held = running.get(registry);
        if (held?.owner !== owner || held.term !== term) return { held: false };
        held.untilMs = untilMs;
        const { suspended, pinned } = controlOf(registry);
        return { held: true, stop: suspended || pinned !== undefined };
      });
    },

    publishAndFinish: finish,
    finish,

    async confirmUnchanged(registry, { term, changes }) {
      const { requested, handled, suspended, pinned } = controlOf(registry);
      if (suspended || pinned !== undefined || requested > handled) return false;
      return status.save(registry, changes, { expected: fencingToken({ term, owner: '' }) });
    },
  };

  /** Writes the lease into the status; `undefined` where another process was quicker. */
  async function claim({
    registry,
    owner,
    ttlMs,
    nowMs,
    before,
  }: {
    registry: string;
    owner: string;
    ttlMs: number;
    nowMs: number;
    before: SyncStatus;
  }) {
    const lease: Lease = { registry, owner, term: nextTerm(before.term, nowMs) };
    const startsWithoutFinish = before.startsWithoutFinish + 1;
    const untilMs = nowMs + ttlMs;
    const changes = {
      term: lease.term,
      owner,
      leaseUntil: untilMs,
      startsWithoutFinish,
      phase: 'Syncing' as const,
    };
    if (!(await status.save(registry, changes, { expected: storedToken(before) }))) {
      return undefined;
    }
    running.set(registry, { owner, term: lease.term, untilMs });
    return { lease, status: { ...before, startsWithoutFinish } };
  }

  async function finish(lease: Lease, { changes, handledRequest }: RunEnding): Promise<Finished> {
    const { registry, term } = lease;
    const freed = { ...changes, owner: undefined, leaseUntil: undefined };
    if (!(await status.save(registry, freed, { expected: fencingToken(lease) }))) {
      // Freed already, under this very term: the answer to the first call was lost.
      const stored = storedToken(await status.load(registry));
      if (stored !== fencingToken({ term, owner: '' })) return { state: 'refused' };
    }
    running.delete(registry);
    const control = controlOf(registry);
    const handled = Math.max(control.handled, handledRequest ?? 0);
    const open = control.requested > handled;
    controls.set(registry, { ...control, handled, force: open && control.force });
    return open ? { state: 'finished', openRequest: control.requested } : { state: 'finished' };
  }
}

function nextTerm(term: string | undefined, nowMs: number): string {
  return String(Math.max(Number(term ?? 0) + 1, Math.floor(nowMs * 1_000)));
}
