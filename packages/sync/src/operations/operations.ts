import { setTimeout as sleep } from 'node:timers/promises';
import {
  type RegistryConfig,
  type Run,
  runId,
  type StatusChanges,
  SynclineError,
  settledPhase,
} from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import { filterHash } from '../decide/should-sync.ts';
import { collectStaged, type StagingContext } from '../perform/stage.ts';
import { findHeld, type StagedSnapshot, stageSnapshot } from '../perform/stage-snapshot.ts';
import { publicationOf } from '../perform/store-built.ts';
import type { OperatorStore, Suspension } from '../ports/operator-store.ts';
import type { Acquired, RunEnding, RunStore } from '../ports/run-store.ts';
import { DEFAULT_LEASE_TIMES } from '../run/lease-keeper.ts';
import { countsOf } from '../run/outcome.ts';

/** The operations on a registry. */
export interface Operations {
  /** Ends a running run within one renewal, and prevents later runs from fetching. */
  suspend(registry: string, suspension: Suspension): Promise<void>;
  /**
   * Removes a suspension and the pin of a rollback, and syncs the registry.
   *
   * @throws SynclineError `suspended-by-config` if the config also suspends the registry
   */
  resume(registry: Pick<RegistryConfig, 'name' | 'suspended'>): Promise<void>;
  /**
   * Serves an earlier snapshot until {@link resume}. If the filter has changed since that snapshot, applies the current
   * filter to the snapshot's mirror.
   *
   * @param options.snapshot a digest, or its first characters
   * @returns the digest of the served snapshot
   * @throws SynclineError `unknown-snapshot`, `registry-busy`, `unknown-registry`
   */
  rollback(registry: string, options: { snapshot: string }): Promise<{ snapshot: string }>;
  /**
   * Publishes exactly the snapshot that the guard holds.
   *
   * @throws SynclineError `unknown-snapshot` if another snapshot is held, or if the filter has changed since;
   *   `registry-busy`, `unknown-registry`
   */
  approve(registry: string, options: { snapshot: string }): Promise<{ snapshot: string }>;
}

export interface OperationsDependencies {
  readonly operators: OperatorStore;
  readonly runStore: RunStore;
  readonly snapshots: SnapshotStore;
  readonly owner: string;
  /** Returns a registry, or the derived registry of a catalog, from the current config. */
  readonly registryOf: (name: string) => Promise<RegistryConfig | undefined>;
  /** Returns the catalogs that must run when a registry serves another snapshot. */
  readonly dependentsOf: (registry: string) => readonly string[];
}

/** A run ends at its next renewal. This time covers two renewals and the end of the run. */
const LEASE_WAIT_MS = 3 * DEFAULT_LEASE_TIMES.renewEveryMs;
const LEASE_POLL_MS = 100;

export function createOperations(deps: OperationsDependencies): Operations {
  const { operators, snapshots } = deps;

  return {
    suspend: (registry, suspension) => operators.suspend(registry, suspension),

    async resume({ name, suspended }) {
      await operators.resume(name);
      if (!suspended) return;
      const message = `the config suspends ${name}. Remove suspended from its entry in the config`;
      throw new SynclineError('suspended-by-config', message);
    },

    async rollback(registry, { snapshot: prefix }) {
      const digest = await resolveSnapshot(deps, registry, prefix);
      const before = await operators.pinned(registry);
      // Pins first, because a pin makes a running run give up its lease.
      await operators.setPinned(registry, digest);
      try {
        const find: Find = (context) => stageSnapshot(snapshots, context, digest);
        return await publish(deps, registry, { find, pin: true, message: 'rolled back' });
      } catch (error) {
        await operators.setPinned(registry, before);
        throw error;
      }
    },

    async approve(registry, { snapshot: prefix }) {
      const held = await operators.held(registry);
      if (held === undefined || !held.startsWith(prefix)) {
        const message = `the guard holds no snapshot of ${registry} that starts with ${prefix}`;
        throw new SynclineError('unknown-snapshot', `${message}. Held: ${held ?? 'none'}`);
      }
      const find: Find = (context) => findHeld(snapshots, context, held);
      return publish(deps, registry, { find, pin: false, message: 'approved' });
    },
  };
}

/**
 * Returns the digest of the only snapshot that starts with `prefix`.
 *
 * @throws SynclineError `unknown-snapshot`
 */
async function resolveSnapshot(
  { snapshots, operators }: OperationsDependencies,
  registry: string,
  prefix: string,
): Promise<string> {
  const [history, ...others] = await Promise.all([
    snapshots.history(registry),
    snapshots.readPointer(registry),
    operators.held(registry),
  ]);
  // Leaves out mirrors, because only their views were served.
  const known = history
    .filter((it) => it.supersededAtMs !== undefined || others.includes(it.manifest))
    .map(({ manifest }) => manifest);
  const matches = known.filter((it) => it.startsWith(prefix));
  const [digest] = matches;
  if (digest !== undefined && matches.length === 1 && prefix !== '') return digest;
  const found = digest === undefined ? 'no snapshot that starts' : 'several snapshots that start';
  const problem = prefix === '' ? 'the digest is empty' : `${registry} has ${found} with ${prefix}`;
  const available = known.map((it) => it.slice(0, 12)).join(', ');
  const message = `${problem}. Available: ${available}`;
  throw new SynclineError('unknown-snapshot', message);
}

type Find = (context: StagingContext) => Promise<StagedSnapshot>;

async function publish(
  deps: OperationsDependencies,
  registry: string,
  { find, pin, message }: { find: Find; pin: boolean; message: string },
): Promise<{ snapshot: string }> {
  const { operators, runStore, registryOf, dependentsOf } = deps;
  const config = await registryOf(registry);
  if (config === undefined) {
    throw new SynclineError('unknown-registry', `the config in force has no registry ${registry}`);
  }
  const acquired = await waitForLease(deps, registry);
  const { lease, status } = acquired;
  const staging = { hasBegun: false };
  let staged: StagedSnapshot;
  try {
    staged = await whileRenewing(deps, acquired, (signal, now) =>
      find({ lease, status, registry: config, signal, now, staging }),
    );
    const ending = operatorEnding(acquired, { staged, config, message });
    const publication = { ...publicationOf(staged), pin };
    const finished = await runStore.publishAndFinish(lease, ending, publication);
    if (finished.state === 'refused') throw busy(registry);
    if (finished.state === 'incomplete') {
      throw new SynclineError(
        'snapshot-incomplete',
        `the store has no ${finished.missing} for ${registry}`,
      );
    }
  } catch (error) {
    if (staging.hasBegun) {
      const context = { lease, registry: config, now: () => acquired.nowMs };
      await collectStaged(deps, context, [status]).catch(() => {});
    }
    // Releases the lease without changing the registry.
    const startsWithoutFinish = Math.max(0, status.startsWithoutFinish - 1);
    await runStore.finish(lease, { changes: { startsWithoutFinish, phase: settledPhase(status) } });
    throw error;
  }
  await operators.requestDependents(dependentsOf(registry));
  return { snapshot: staged.blob.digest };
}

/** Renews the lease during the work, because deriving the view of a large registry may take longer than a lease. */
async function whileRenewing<Result>(
  { runStore }: OperationsDependencies,
  { lease, nowMs }: Acquired,
  work: (signal: AbortSignal, now: () => number) => Promise<Result>,
): Promise<Result> {
  const { leaseTtlMs: ttlMs, renewEveryMs } = DEFAULT_LEASE_TIMES;
  const lost = new AbortController();
  const renew = async () => {
    const [renewal] = await runStore.renew([lease], { ttlMs });
    if (renewal?.held !== true) lost.abort(busy(lease.registry));
  };
  // A later renewal may succeed. If none succeeds, the store rejects the write.
  const timer = setInterval(() => void renew().catch(() => {}), renewEveryMs);
  const startedAtMs = performance.now();
  try {
    return await work(lost.signal, () => nowMs + (performance.now() - startedAtMs));
  } finally {
    clearInterval(timer);
  }
}

async function waitForLease(
  { runStore, owner }: OperationsDependencies,
  registry: string,
): Promise<Acquired> {
  const untilMs = Date.now() + LEASE_WAIT_MS;
  const asked = { registry, owner, ttlMs: DEFAULT_LEASE_TIMES.leaseTtlMs, isIsolated: true };
  do {
    const acquisition = await runStore.acquire({ ...asked, purpose: { kind: 'tick' } });
    if (acquisition.state === 'acquired') return acquisition;
    await sleep(LEASE_POLL_MS);
  } while (Date.now() < untilMs);
  throw busy(registry);
}

function busy(registry: string): SynclineError {
  const message = `a run of ${registry} is in progress. Try again when the run has ended`;
  return new SynclineError('registry-busy', message);
}

/** Returns the changes of status and run log for an operator's publication. */
function operatorEnding(
  { lease, nowMs, status, control }: Acquired,
  {
    staged: { blob, manifest, mirror },
    config,
    message,
  }: { staged: StagedSnapshot; config: RegistryConfig; message: string },
): RunEnding {
  const now = new Date(nowMs).toISOString();
  const snapshot = blob.digest;
  const run: Run = {
    ...lease,
    id: runId(lease.registry, lease.term),
    trigger: 'manual',
    outcome: 'published',
    startedAt: now,
    finishedAt: now,
    durationMs: 0,
    handledRequest: control.handled,
    upstream: { requests: 0, bytes: 0 },
    snapshot,
    rowCount: manifest.rowCount,
  };
  const changes: StatusChanges = {
    ...countsOf(manifest),
    phase: 'Complete',
    startsWithoutFinish: 0,
    snapshot,
    filterHash: filterHash(config),
    mirror: mirror?.blob.digest,
    mirrorSyncAt: mirror === undefined ? undefined : status.lastSyncAt,
    held: undefined,
    // The served snapshot is not the state of the source, so the next run must not find its revision.
    revision: undefined,
    message,
    lastChangeAt: now,
    lastSuccessAt: status.lastSuccessAt ?? now,
  };
  return { changes, run };
}
