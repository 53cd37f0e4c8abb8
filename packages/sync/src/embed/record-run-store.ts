import {
  type Clock,
  changeStatus,
  fencingToken,
  type Lease,
  PENDING_STATUS,
  type StatusChanges,
  type SyncStatus,
  storedToken,
} from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';
import {
  type AcquireOptions,
  type Acquisition,
  type Finished,
  type LeasePurpose,
  POISON_AFTER_STARTS,
  type Renewal,
  type RunEnding,
  type RunStore,
} from '../ports/run-store.ts';
import { type Change, isHeld, type Records, type RegistryRecord } from './records.ts';

/** The maximum number of runs in a record. */
const RUNS_KEPT = 20;

/**
 * Creates the store of leases and fenced writes in records. `clock` is the store's clock.
 *
 * @param options.findMissing returns the first missing blob of a snapshot
 */
export function createRecordRunStore({
  records,
  clock,
  findMissing,
}: {
  records: Records;
  clock: Pick<Clock, 'now'>;
  findMissing: (registry: string, publication: Publication) => Promise<string | undefined>;
}): RunStore {
  const nowMs = () => Math.floor(clock.now());
  return {
    acquire: (options) =>
      records.update(options.registry, (record) => acquire(record, options, nowMs())),

    renew: (leases, { ttlMs }) =>
      Promise.all(
        leases.map((lease) =>
          records.update(lease.registry, (record) => renew(record, lease, nowMs() + ttlMs)),
        ),
      ),

    publishAndFinish: (lease, ending, publication) =>
      records.update(lease.registry, async (record) => {
        if (!isHeld(record, lease)) return finish(record, lease, ending);
        const missing = await findMissing(lease.registry, publication);
        if (missing !== undefined) return { answer: { state: 'incomplete', missing } };
        return finish(flipPointer(record, publication, nowMs()), lease, ending);
      }),

    finish: (lease, ending) =>
      records.update(lease.registry, (record) => finish(record, lease, ending)),

    confirmUnchanged: (registry, confirmation) =>
      records.update(registry, (record) => confirmUnchanged(record, confirmation)),
  };
}

/** Applies the same rules as `acquire.lua`. */
function acquire(
  record: RegistryRecord,
  { registry, owner, ttlMs, purpose, isIsolated = false }: AcquireOptions,
  nowMs: number,
): Change<Acquisition> {
  if (purpose.kind === 'wake-up' && record.control.handled >= purpose.request) {
    return { answer: { state: 'handled' } };
  }
  const control = { ...record.control };
  if (purpose.kind === 'request') {
    control.requested += 1;
    control.force ||= purpose.force;
  }
  const before = record.status ?? PENDING_STATUS;
  const { owner: holder, leaseUntil: leaseUntilMs = 0 } = before;
  if (holder !== undefined && leaseUntilMs > nowMs) {
    return { answer: { state: 'busy', owner: holder, leaseUntilMs }, record: { control } };
  }
  const isOpen = control.requested > control.handled;
  if (purpose.kind === 'tick' && !isOpen && isSuperseded(before, purpose, nowMs)) {
    return { answer: { state: 'superseded' }, record: { control } };
  }
  if (!isIsolated && before.startsWithoutFinish + 1 === POISON_AFTER_STARTS) {
    const openRequest = isOpen ? control.requested : 0;
    return { answer: { state: 'isolate', openRequest }, record: { control } };
  }
  const term = String(Math.max(Number(before.term ?? 0) + 1, nowMs * 1_000));
  const status = changeStatus(before, { startsWithoutFinish: before.startsWithoutFinish + 1 });
  const claim = { phase: 'Syncing', term, owner, leaseUntil: nowMs + ttlMs } as const;
  return {
    answer: {
      state: 'acquired',
      lease: { registry, term, owner },
      nowMs,
      status,
      control,
      served: record.pointer,
    },
    record: { control, status: changeStatus(status, claim) },
  };
}

function isSuperseded(
  { lastAttemptAt = '', lastSuccessAt = '' }: SyncStatus,
  { supersededWithinMs = 0 }: Extract<LeasePurpose, { kind: 'tick' }>,
  nowMs: number,
): boolean {
  const triedAtMs = Date.parse(lastAttemptAt);
  const ageMs = nowMs - triedAtMs;
  const hasSucceeded = Date.parse(lastSuccessAt) >= triedAtMs;
  return ageMs >= 0 && ageMs < supersededWithinMs && hasSucceeded;
}

function renew(record: RegistryRecord, lease: Lease, leaseUntil: number): Change<Renewal> {
  const { status = PENDING_STATUS, control } = record;
  if (!isHeld(record, lease)) return { answer: { held: false } };
  return {
    answer: { held: true, stop: control.suspended || control.pinned !== undefined },
    record: { status: changeStatus(status, { leaseUntil }) },
  };
}

function finish(
  record: RegistryRecord,
  lease: Lease,
  { changes, run, handledRequest = 0 }: RunEnding,
): Change<Finished> {
  const freed = fencingToken({ term: lease.term, owner: '' });
  // The caller repeats its call because it got no answer.
  if (storedToken(record.status) === freed) return { answer: finished(record) };
  if (!isHeld(record, lease)) return { answer: { state: 'refused' } };
  const { control } = record;
  const handled = Math.max(control.handled, handledRequest);
  // A newer request may be forced, so the flag stays while any request is open.
  const force = control.force && (handledRequest === 0 || control.requested > handled);
  const after: RegistryRecord = {
    ...record,
    status: changeStatus(record.status ?? PENDING_STATUS, {
      ...changes,
      owner: undefined,
      leaseUntil: undefined,
    }),
    control: { ...control, handled, force },
    runs: run === undefined ? record.runs : [run, ...record.runs].slice(0, RUNS_KEPT),
  };
  return { answer: finished(after), record: after };
}

function confirmUnchanged(
  { status = PENDING_STATUS, control, pointer }: RegistryRecord,
  { term, changes }: { term: string; changes: StatusChanges },
): Change<boolean> {
  const { requested, handled, suspended, pinned } = control;
  const isWanted = suspended || pinned !== undefined || requested > handled;
  const isLost = pointer !== status.snapshot;
  if (isWanted || isLost || storedToken(status) !== fencingToken({ term, owner: '' })) {
    return { answer: false };
  }
  return { answer: true, record: { status: changeStatus(status, changes) } };
}

function finished({ control }: RegistryRecord): Finished {
  return control.requested > control.handled
    ? { state: 'finished', openRequest: control.requested }
    : { state: 'finished' };
}

function flipPointer(
  record: RegistryRecord,
  { manifest, pin }: Publication,
  nowMs: number,
): RegistryRecord {
  const supersededAtMs = new Map(record.supersededAtMs);
  if (record.pointer !== undefined) supersededAtMs.set(record.pointer, nowMs);
  supersededAtMs.delete(manifest);
  const control = pin === true ? { ...record.control, pinned: manifest } : record.control;
  return { ...record, pointer: manifest, supersededAtMs, control };
}
