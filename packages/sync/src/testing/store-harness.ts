import type { Control, Lease, Run } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import { createInMemorySnapshotStore } from '@syncline/snapshot/testing';
import { createRecordStatusPersistence } from '../embed/records.ts';
import type { Acquisition, RunStore } from '../ports/run-store.ts';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import { createInMemoryRunStore } from './in-memory-run-store.ts';
import { createInMemoryState } from './in-memory-state.ts';

import { createManualClock } from './manual-clock.ts';

/** The ports of one store, and the actions of others on it. */
export interface StoreHarness {
  readonly runStore: RunStore;
  readonly snapshots: SnapshotStore;
  readonly status: StatusPersistence;
  readControl(registry: string): Promise<Control>;
  /** Changes the control hash like an operator. */
  changeControl(registry: string, change: { suspended: true } | { pinned: string }): Promise<void>;
  /** Returns the runs, newest first. */
  listRuns(registry: string): Promise<readonly Run[]>;
  /** Expires a lease, as if its holder had not renewed it in time. */
  expireLease(registry: string): Promise<void>;
  /** Removes the pointer to the served snapshot, like an operator by mistake. */
  losePointer(registry: string): Promise<void>;
  /** Removes everything, like FLUSHALL. */
  loseData(): Promise<void>;
  /** Resolves when the store's clock shows another millisecond. */
  passTime(): Promise<void>;
}

/** Creates a harness for the in-memory ports. */
export function createInMemoryHarness(
  clock = createManualClock({ nowMs: Date.parse('2026-02-01T12:00:00Z') }),
  state = createInMemoryState({ clock }),
): StoreHarness {
  return {
    runStore: createInMemoryRunStore(state),
    snapshots: createInMemorySnapshotStore(state),
    status: createRecordStatusPersistence(state.records),
    readControl: async (registry) => state.of(registry).control,
    changeControl: async (name, change) => {
      const registry = state.of(name);
      registry.control = { ...registry.control, ...change };
    },
    listRuns: async (registry) => state.of(registry).runs,
    expireLease: async (name) => {
      const registry = state.of(name);
      if (registry.status !== undefined) registry.status = { ...registry.status, leaseUntil: 1 };
    },
    losePointer: async (registry) => {
      state.of(registry).pointer = undefined;
    },
    loseData: async () => state.registries.clear(),
    passTime: async () => clock.advance(1),
  };
}

type Acquired = Extract<Acquisition, { state: 'acquired' }>;

/** Acquires a free lease. @throws Error if a run has the lease */
export async function acquire(
  { runStore }: Pick<StoreHarness, 'runStore'>,
  registry: string,
  options: Partial<Parameters<RunStore['acquire']>[0]> = {},
): Promise<Acquired> {
  const acquisition = await runStore.acquire({
    registry,
    owner: 'alice',
    ttlMs: 60_000,
    purpose: { kind: 'tick' },
    isIsolated: true,
    ...options,
  });
  if (acquisition.state === 'acquired') return acquisition;
  throw new Error(`expected a free lease of ${registry}, found it ${acquisition.state}`);
}

/** Returns a run for a run log. */
export function testRun({ registry, term, owner }: Lease, changes: Partial<Run> = {}): Run {
  return {
    id: `${registry}:${term}`,
    registry,
    term,
    owner,
    trigger: 'manual',
    outcome: 'published',
    startedAt: '2026-02-01T12:00:00.000Z',
    finishedAt: '2026-02-01T12:00:01.000Z',
    durationMs: 1_000,
    handledRequest: 0,
    upstream: { requests: 1, bytes: 2 },
    ...changes,
  };
}
