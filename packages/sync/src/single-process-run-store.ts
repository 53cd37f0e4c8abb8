import { type Control, controlSchema, PENDING_STATUS } from '@syncline/contract';
import {
  type Acquisition,
  type Clock,
  type Finished,
  fencingToken,
  type Lease,
  type RunEnding,
  type RunStore,
  type StatusPersistence,
  storedToken,
} from './ports.ts';

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
  const running = new Map<string, { owner: string; untilMs: number }>();
  const controlOf = (registry: string) => controls.get(registry) ?? controlSchema.parse({});

  return {
    async acquire({ registry, owner, ttlMs, wish }): Promise<Acquisition> {
      const nowMs = clock.now();
      let control = controlOf(registry);
      if (wish.kind === 'request') {
        const force = control.force || wish.force;
        control = { ...control, requested: control.requested + 1, force };
        controls.set(registry, control);
      }
      if (wish.kind === 'hint' && control.handled >= wish.request) return { state: 'answered' };
      const other = running.get(registry);
      if (other !== undefined && other.untilMs > nowMs) {
        return { state: 'busy', owner: other.owner, leaseUntilMs: other.untilMs };
      }
      // Before anything is awaited: a second tick of this process must find it.
      running.set(registry, { owner, untilMs: nowMs + ttlMs });
      const before = (await status.load(registry)) ?? PENDING_STATUS;
      const lease: Lease = { registry, owner, term: nextTerm(before.term, nowMs) };
      const startsWithoutFinish = before.startsWithoutFinish + 1;
      const leaseUntil = nowMs + ttlMs;
      const claim = {
        term: lease.term,
        owner,
        leaseUntil,
        startsWithoutFinish,
        phase: 'Syncing' as const,
      };
      if (!(await status.save(registry, claim, { expected: storedToken(before) }))) {
        running.delete(registry);
        return { state: 'busy', owner: 'another process', leaseUntilMs: leaseUntil };
      }
      return {
        state: 'acquired',
        lease,
        nowMs,
        status: { ...before, startsWithoutFinish },
        control,
      };
    },

    async renew(leases, { ttlMs }) {
      const untilMs = clock.now() + ttlMs;
      return leases.map(({ registry, owner }) => {
        const held = running.get(registry);
        if (held?.owner !== owner) return { held: false };
        held.untilMs = untilMs;
        const { suspended, pinned } = controlOf(registry);
        return { held: true, stop: suspended || pinned !== undefined };
      });
    },

    publishAndFinish: finish,
    finish,
  };

  async function finish(lease: Lease, { changes, handledRequest }: RunEnding): Promise<Finished> {
    const { registry } = lease;
    const freed = { ...changes, owner: undefined, leaseUntil: undefined };
    const expected = fencingToken(lease);
    if (!(await status.save(registry, freed, { expected }))) return { state: 'refused' };
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
