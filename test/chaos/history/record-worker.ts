import type { FencingToken, Lease } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import type { UpstreamUsage } from '@syncline/sources';
import type {
  CheckContext,
  Finished,
  Manager,
  RunContext,
  RunEnding,
  RunStore,
  StatusPersistence,
} from '@syncline/sync';
import type { WorkerDecorator } from '@syncline/worker';
import { type HistoryRecorder, machineMs } from './recorder.ts';

/** Makes a worker record the calls of its runs and the answers, without changing its behavior. */
export function recordWorker(recorder: HistoryRecorder): WorkerDecorator {
  return {
    stores: ({ runStore, snapshots, status }) => ({
      runStore: recordRunStore(runStore, recorder),
      snapshots: recordSnapshots(snapshots, recorder),
      status: recordStatus(status, recorder),
    }),
    manager: (manager) => recordManager(manager, recorder),
  };
}

function recordRunStore(store: RunStore, { record }: HistoryRecorder): RunStore {
  const end = async (
    lease: Lease,
    { ending, publishes }: { ending: RunEnding; publishes?: string },
    ask: () => Promise<Finished>,
  ): Promise<Finished> => {
    const { registry, term } = lease;
    const calledAtMs = machineMs();
    record({
      kind: 'ending-tried',
      registry,
      term,
      calledAtMs,
      ...whatOf(ending),
      handledRequest: ending.handledRequest ?? 0,
      ...(publishes === undefined ? {} : { publishes }),
    });
    const finished = await ask();
    record({ kind: 'ending-answered', registry, term, calledAtMs, answer: finished.state });
    return finished;
  };
  return {
    async acquire(options) {
      const calledAtMs = machineMs();
      const acquisition = await store.acquire(options);
      if (acquisition.state === 'acquired') {
        const { lease, control } = acquisition;
        const { requested, handled } = control;
        const { ttlMs } = options;
        record({ kind: 'lease-acquired', ...lease, calledAtMs, ttlMs, requested, handled });
      }
      return acquisition;
    },
    async renew(leases, options) {
      const calledAtMs = machineMs();
      const renewals = await store.renew(leases, options);
      for (const [index, { registry, term }] of leases.entries()) {
        if (renewals[index]?.held === true) {
          const { ttlMs } = options;
          record({ kind: 'lease-renewed', registry, term, calledAtMs, ttlMs });
        } else record({ kind: 'lease-refused', registry, term });
      }
      return renewals;
    },
    publishAndFinish: (lease, ending, publication) =>
      end(lease, { ending, publishes: publication.manifest }, () =>
        store.publishAndFinish(lease, ending, publication),
      ),
    finish: (lease, ending) => end(lease, { ending }, () => store.finish(lease, ending)),
    async confirmUnchanged(registry, confirmation) {
      const calledAtMs = machineMs();
      const accepted = await store.confirmUnchanged(registry, confirmation);
      const { term } = confirmation;
      record({ kind: 'confirm-answered', registry, term, calledAtMs, accepted });
      return accepted;
    },
  };
}

/** Returns the data of an end. A scheduled tick that found nothing has no run record. */
function whatOf({ changes, run }: RunEnding) {
  return {
    ...(changes.phase === undefined ? {} : { phase: changes.phase }),
    ...(run === undefined ? {} : { outcome: run.outcome, trigger: run.trigger }),
  };
}

function recordSnapshots(store: SnapshotStore, { record }: HistoryRecorder): SnapshotStore {
  const write = async (
    { registry, term }: Lease,
    what: 'chunks' | 'manifest' | 'garbage',
    ask: () => Promise<boolean>,
  ): Promise<boolean> => {
    const calledAtMs = machineMs();
    const accepted = await ask();
    record({ kind: 'write-answered', registry, term, calledAtMs, what, accepted });
    return accepted;
  };
  return {
    ...store,
    writeChunks: (lease, chunks, limits) =>
      write(lease, 'chunks', () => store.writeChunks(lease, chunks, limits)),
    writeManifest: (lease, manifest, limits) =>
      write(lease, 'manifest', () => store.writeManifest(lease, manifest, limits)),
    collect: (lease, garbage) => write(lease, 'garbage', () => store.collect(lease, garbage)),
  };
}

function recordStatus(status: StatusPersistence, { record }: HistoryRecorder): StatusPersistence {
  return {
    ...status,
    async save(registry, changes, options) {
      const calledAtMs = machineMs();
      const accepted = await status.save(registry, changes, options);
      const term = termOf(options.expected);
      record({ kind: 'write-answered', registry, term, calledAtMs, what: 'status', accepted });
      return accepted;
    },
  };
}

function termOf(token: FencingToken | undefined): string {
  return token?.split(':')[0] ?? '0';
}

/**
 * Records each call to an upstream when a source counts it, which is when the source makes the
 * call.
 */
function recordManager(manager: Manager, recorder: HistoryRecorder): Manager {
  return {
    shouldSync: (context) => manager.shouldSync(recordCalls(context, recorder)),
    performSync: (context, decision) =>
      manager.performSync(recordCalls(context, recorder), decision),
  };
}

function recordCalls<Context extends CheckContext>(
  context: Context,
  { record }: HistoryRecorder,
): Context {
  if (!hasLease(context)) return context;
  const { upstream, lease } = context;
  const { registry, term } = lease;
  const counting: UpstreamUsage = {
    get requests() {
      return upstream.requests;
    },
    set requests(count) {
      upstream.requests = count;
      record({ kind: 'upstream-called', registry, term });
    },
    get bytes() {
      return upstream.bytes;
    },
    set bytes(count) {
      upstream.bytes = count;
    },
  };
  return { ...context, upstream: counting };
}

/** Returns whether a check has a lease. A no-op tick checks its source without a lease. */
function hasLease(context: CheckContext): context is RunContext {
  return 'lease' in context;
}
