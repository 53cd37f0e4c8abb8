import { changeStatus, fencingToken, type Lease, storedToken } from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';
import { refusalOf } from '../ports/lease-rules.ts';
import type {
  Acquisition,
  Finished,
  LeasePurpose,
  Renewal,
  RunEnding,
  RunStore,
} from '../ports/run-store.ts';
import { type InMemoryRegistry, type InMemoryState, statusOf } from './in-memory-state.ts';

/** Leases and what they fence, in memory. Time is that of the state's clock. */
export function createInMemoryRunStore(state: InMemoryState): RunStore {
  const nowMs = () => Math.floor(state.clock.now());

  return {
    async acquire({
      registry: name,
      owner,
      ttlMs,
      purpose,
      isIsolated = false,
    }): Promise<Acquisition> {
      const registry = state.of(name);
      if (isHandled(registry, purpose)) return { state: 'handled' };
      if (purpose.kind === 'request') countRequest(registry, purpose);
      const before = statusOf(registry);
      const leaseUntilMs = before.leaseUntil ?? 0;
      if (before.owner !== undefined && leaseUntilMs > nowMs()) {
        return { state: 'busy', owner: before.owner, leaseUntilMs };
      }
      const refusal = refusalOf(
        { purpose, isIsolated },
        { status: before, control: registry.control, nowMs: nowMs() },
      );
      if (refusal !== undefined) return refusal;
      const term = String(Math.max(Number(before.term ?? 0) + 1, nowMs() * 1_000));
      const status = changeStatus(before, {
        startsWithoutFinish: before.startsWithoutFinish + 1,
      });
      const leaseUntil = nowMs() + ttlMs;
      registry.status = changeStatus(status, { phase: 'Syncing', term, owner, leaseUntil });
      const lease: Lease = { registry: name, term, owner };
      return { state: 'acquired', lease, nowMs: nowMs(), status, control: { ...registry.control } };
    },

    async renew(leases, { ttlMs }) {
      return leases.map((lease): Renewal => {
        const registry = state.of(lease.registry);
        if (!state.isHeld(lease)) return { held: false };
        registry.status = changeStatus(statusOf(registry), { leaseUntil: nowMs() + ttlMs });
        const { suspended, pinned } = registry.control;
        return { held: true, stop: suspended || pinned !== undefined };
      });
    },

    publishAndFinish: async (lease, ending, publication) => finish(lease, ending, publication),
    finish: async (lease, ending) => finish(lease, ending, undefined),

    async confirmUnchanged(name, { term, changes }) {
      const registry = state.of(name);
      const { requested, handled, suspended, pinned } = registry.control;
      const ended = fencingToken({ term, owner: '' });
      if (storedToken(registry.status) !== ended) return false;
      if (suspended || pinned !== undefined || requested > handled) return false;
      registry.status = changeStatus(statusOf(registry), changes);
      return true;
    },
  };

  function finish(
    lease: Lease,
    { changes, run, handledRequest = 0 }: RunEnding,
    publication: Publication | undefined,
  ): Finished {
    const registry = state.of(lease.registry);
    const freed = fencingToken({ term: lease.term, owner: '' });
    if (storedToken(registry.status) === freed) return finished(registry);
    if (!state.isHeld(lease)) return { state: 'refused' };
    if (publication !== undefined) {
      const missing = findMissing(registry, publication);
      if (missing !== undefined) return { state: 'incomplete', missing };
      flipPointer(registry, publication, nowMs());
    }
    registry.status = changeStatus(statusOf(registry), {
      ...changes,
      owner: undefined,
      leaseUntil: undefined,
    });
    if (run !== undefined) registry.runs.unshift(run);
    answerRequests(registry, handledRequest);
    return finished(registry);
  }
}

function isHandled({ control }: InMemoryRegistry, purpose: LeasePurpose): boolean {
  return purpose.kind === 'wake-up' && control.handled >= purpose.request;
}

function countRequest(registry: InMemoryRegistry, { force }: { force: boolean }): void {
  const { control } = registry;
  registry.control = {
    ...control,
    requested: control.requested + 1,
    force: control.force || force,
  };
}

function answerRequests(registry: InMemoryRegistry, handledRequest: number): void {
  if (handledRequest === 0) return;
  const { control } = registry;
  const handled = Math.max(control.handled, handledRequest);
  // A newer request may be a forced one: the flag stays until none is open.
  registry.control = { ...control, handled, force: control.force && control.requested > handled };
}

function finished({ control }: InMemoryRegistry): Finished {
  return control.requested > control.handled
    ? { state: 'finished', openRequest: control.requested }
    : { state: 'finished' };
}

function findMissing(
  { manifests, chunks }: InMemoryRegistry,
  { manifest, mirror = manifest, chunks: digests }: Publication,
): string | undefined {
  return (
    [manifest, mirror].find((digest) => !manifests.has(digest)) ??
    digests.find((digest) => !chunks.has(digest))
  );
}

function flipPointer(
  registry: InMemoryRegistry,
  { manifest, pin }: Publication,
  nowMs: number,
): void {
  const { pointer, supersededAtMs } = registry;
  if (pointer !== undefined && pointer !== manifest) supersededAtMs.set(pointer, nowMs);
  supersededAtMs.delete(manifest);
  registry.pointer = manifest;
  if (pin === true) registry.control = { ...registry.control, pinned: manifest };
}
