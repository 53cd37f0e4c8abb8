import { setTimeout as sleep } from 'node:timers/promises';
import {
  type RegistryConfig,
  type Run,
  runId,
  SynclineError,
  settledPhase,
} from '@syncline/contract';
import { blobDigests, decodeManifest, type Manifest, type SnapshotStore } from '@syncline/snapshot';
import type { OperatorStore, Suspension } from '../ports/operator-store.ts';
import type { Acquired, RunStore } from '../ports/run-store.ts';
import { DEFAULT_LEASE_TIMES } from '../run/lease-keeper.ts';
import { countsOf } from '../run/outcome.ts';

/** What operators do to a registry. */
export interface Operations {
  /** Ends a run that is under way within one renewal, and prevents others from fetching. */
  suspend(registry: string, suspension: Suspension): Promise<void>;
  /**
   * Lifts a suspension and the pin of a rollback, and has the registry synced.
   *
   * @throws SynclineError `suspended-by-config` if the config suspends the registry too
   */
  resume(registry: Pick<RegistryConfig, 'name' | 'suspended'>): Promise<void>;
  /**
   * Serves an earlier snapshot, and nothing else until {@link resume}.
   *
   * @param options.snapshot a digest, or the beginning of one
   * @throws SynclineError `unknown-snapshot`, `registry-busy`
   */
  rollback(registry: string, options: { snapshot: string }): Promise<{ snapshot: string }>;
  /**
   * Publishes the snapshot that the guard holds back.
   *
   * @throws SynclineError `unknown-snapshot` if it is not the one that is held; `registry-busy`
   */
  approve(registry: string, options: { snapshot: string }): Promise<{ snapshot: string }>;
}

export interface OperationsDependencies {
  readonly operators: OperatorStore;
  readonly runStore: RunStore;
  readonly snapshots: SnapshotStore;
  readonly owner: string;
  /** The catalogs to build again when a registry serves another snapshot. */
  readonly dependentsOf: (registry: string) => readonly string[];
}

/** A run that is asked to end does so at its next renewal. This is time for two renewals and the run's ending. */
const LEASE_WAIT_MS = 3 * DEFAULT_LEASE_TIMES.renewEveryMs;
const LEASE_POLL_MS = 100;

export function createOperations(deps: OperationsDependencies): Operations {
  const { operators, snapshots, runStore, owner } = deps;

  return {
    suspend: (registry, suspension) => operators.suspend(registry, suspension),

    async resume({ name, suspended }) {
      await operators.resume(name);
      if (!suspended) return;
      const message = `${name} is suspended by the config. Remove suspended there`;
      throw new SynclineError('suspended-by-config', message);
    },

    async rollback(registry, { snapshot }) {
      const digest = await resolveSnapshot(registry, snapshot);
      const before = await operators.pinned(registry);
      // The pin comes first: it makes a run that is under way give up its lease.
      await operators.setPinned(registry, digest);
      try {
        await publish(registry, { digest, pin: true, message: 'rolled back' });
      } catch (error) {
        await operators.setPinned(registry, before);
        throw error;
      }
      return { snapshot: digest };
    },

    async approve(registry, { snapshot }) {
      const held = await operators.held(registry);
      if (held === undefined || !held.startsWith(snapshot)) {
        const message = `${registry} holds no snapshot that starts with ${snapshot}`;
        throw new SynclineError('unknown-snapshot', `${message}. It holds ${held ?? 'none'}`);
      }
      await publish(registry, { digest: held, pin: false, message: 'approved' });
      return { snapshot: held };
    },
  };

  async function resolveSnapshot(registry: string, prefix: string): Promise<string> {
    const history = await snapshots.history(registry);
    const matches = history.map(({ manifest }) => manifest).filter((it) => it.startsWith(prefix));
    const [digest, other] = matches;
    if (digest === undefined || other !== undefined || prefix === '') {
      const found = digest === undefined ? 'no snapshot that starts' : 'several that start';
      const available = history.map(({ manifest }) => manifest.slice(0, 12)).join(', ');
      const message = `${registry} has ${found} with ${prefix}. Available: ${available}`;
      throw new SynclineError('unknown-snapshot', message);
    }
    return digest;
  }

  async function publish(
    registry: string,
    { digest, pin, message }: { digest: string; pin: boolean; message: string },
  ): Promise<void> {
    const acquired = await waitForLease(registry);
    const { lease } = acquired;
    try {
      const manifest = await readManifest(registry, digest);
      const finished = await runStore.publishAndFinish(
        lease,
        operatorEnding(acquired, { digest, manifest, message }),
        { manifest: digest, chunks: blobDigests(manifest), pin },
      );
      if (finished.state === 'refused') throw busy(registry);
      if (finished.state === 'incomplete') {
        throw new SynclineError('snapshot-incomplete', `${registry} lacks ${finished.missing}`);
      }
    } catch (error) {
      await release(acquired);
      throw error;
    }
    await operators.requestDependents(deps.dependentsOf(registry));
  }

  async function waitForLease(registry: string): Promise<Acquired> {
    const { leaseTtlMs: ttlMs } = DEFAULT_LEASE_TIMES;
    const untilMs = Date.now() + LEASE_WAIT_MS;
    do {
      const acquisition = await runStore.acquire({
        registry,
        owner,
        ttlMs,
        purpose: { kind: 'tick' },
        isIsolated: true,
      });
      if (acquisition.state === 'acquired') return acquisition;
      await sleep(LEASE_POLL_MS);
    } while (Date.now() < untilMs);
    throw busy(registry);
  }

  async function readManifest(registry: string, digest: string): Promise<Manifest> {
    const bytes = await snapshots.readManifest(registry, digest);
    if (bytes !== undefined) return decodeManifest({ digest, bytes });
    throw new SynclineError('unknown-snapshot', `${registry} has no snapshot ${digest}`);
  }

  /** Gives the lease back, and leaves the registry as it was. */
  async function release({ lease, status }: Acquired): Promise<void> {
    const startsWithoutFinish = Math.max(0, status.startsWithoutFinish - 1);
    await runStore.finish(lease, { changes: { startsWithoutFinish, phase: settledPhase(status) } });
  }
}

function busy(registry: string): SynclineError {
  const message = `${registry} is being synced. Try again when the run has ended`;
  return new SynclineError('registry-busy', message);
}

/** What an operator's flip leaves in status and run log. */
function operatorEnding(
  { lease, nowMs, status, control }: Acquired,
  { digest, manifest, message }: { digest: string; manifest: Manifest; message: string },
) {
  const now = new Date(nowMs).toISOString();
  const run: Run = {
    id: runId(lease.registry, lease.term),
    registry: lease.registry,
    term: lease.term,
    owner: lease.owner,
    trigger: 'manual',
    outcome: 'published',
    startedAt: now,
    finishedAt: now,
    durationMs: 0,
    handledRequest: control.handled,
    upstream: { requests: 0, bytes: 0 },
    snapshot: digest,
    rowCount: manifest.rowCount,
  };
  const changes = {
    ...countsOf({ manifest }),
    phase: 'Complete',
    startsWithoutFinish: 0,
    snapshot: digest,
    held: undefined,
    // What is served is not what the source had: the next run must not take it for known.
    revision: undefined,
    message,
    lastChangeAt: now,
    lastSuccessAt: status.lastSuccessAt ?? now,
  } as const;
  return { changes, run };
}
