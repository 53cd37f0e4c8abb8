import type { ConfigInput, SyncStatus } from '@syncline/contract';
import type { BodyOrigin } from '@syncline/rows';
import { createSnapshotReader } from '@syncline/snapshot';
import { createInMemorySnapshotStore } from '@syncline/snapshot/testing';
import type { Source, SourceContext } from '@syncline/sources';
import { afterAll } from 'vitest';
import { HungWork, PoisonIsolation } from '../capacity/capacity.ts';
import { createRecordStatusPersistence } from '../embed/records.ts';
import { IngestPool } from '../ingest/ingest-pool.ts';
import { createManager } from '../perform/manager.ts';
import type { Tick, TickResult } from '../ports/tick-source.ts';
import { LeaseKeeper, type LeaseTimes } from '../run/lease-keeper.ts';
import { NoOpTicks } from '../run/no-op-ticks.ts';
import type { SyncDependencies } from '../run/sync-dependencies.ts';
import { syncRegistry } from '../run/sync-registry.ts';
import { createInMemoryRunStore } from './in-memory-run-store.ts';
import { createInMemoryState } from './in-memory-state.ts';

import { createManualClock } from './manual-clock.ts';
import { createRecordingLogger, createRecordingObserver } from './recorders.ts';
import { createStaticConfigSource } from './static-config-source.ts';
import { testBudget } from './test-budget.ts';

export const START_MS = Date.parse('2026-02-01T12:00:00Z');

/** The keeper renews often, but the clock advances only if a test moves it. */
const TIMES: LeaseTimes = { leaseTtlMs: 12_000, renewEveryMs: 10, marginMs: 2_000 };

/** A fake upstream. The test sets its rows, and what happens on a probe or a fetch. */
export interface FakeUpstream {
  rows: object[];
  /** The bodies that the upstream sends instead of the rows. */
  bodies?: readonly FakeBody[];
  revision: string | undefined;
  /** How many probes and fetches the upstream got. */
  readonly counts: { probes: number; fetches: number };
  beforeProbe: (context: SourceContext) => Promise<void> | void;
  beforeFetch: (context: SourceContext) => Promise<void> | void;
}

export interface FakeBody {
  readonly body: string | Uint8Array;
  readonly origin?: BodyOrigin;
}

export function server(name: string, changes: object = {}): object {
  return { name, version: '1.0.0', description: 'does things', ...changes };
}

/** Returns servers with names from `server-000`. */
export function servers(count: number): object[] {
  return Array.from({ length: count }, (_, index) =>
    server(`server-${String(index).padStart(3, '0')}`),
  );
}

type RegistryInput = ConfigInput['registries'][number];

export function configOf(...registries: RegistryInput[]): ConfigInput {
  return { registries: registries.map((it) => ({ file: { path: '/not/read' }, ...it })) };
}

export const TICK: Tick = {
  registry: 'alpha',
  trigger: 'schedule',
  force: false,
  purpose: { kind: 'tick' },
};

export function request({ force = false } = {}): Tick {
  return { registry: 'alpha', trigger: 'manual', force, purpose: { kind: 'request', force } };
}

/** Creates a pool that the tests of a file share, because threads start slowly. The pool closes after the last test. */
export function suiteIngestPool(): IngestPool {
  const ingest = new IngestPool({ heavyRuns: 2, memory: testBudget() });
  afterAll(() => ingest.close());
  return ingest;
}

/** Creates real dependencies of {@link syncRegistry}, except for the upstream, the clock and the store. */
export function createSyncHarness({
  ingest,
  config: input = configOf({ name: 'alpha' }),
  quiet = false,
  turnMs = 60_000,
}: {
  ingest: IngestPool;
  config?: ConfigInput;
  /** Whether ticks may be no-ops, as in a coordinator. */
  quiet?: boolean;
  /** How long a registry that may be poison excludes others. */
  turnMs?: number;
}) {
  const clock = createManualClock({ nowMs: START_MS });
  const state = createInMemoryState({ clock });
  const runStore = createInMemoryRunStore(state);
  const snapshots = createInMemorySnapshotStore(state);
  const config = createStaticConfigSource(input);
  const logger = createRecordingLogger();
  const observer = createRecordingObserver();
  const upstream: FakeUpstream = {
    rows: servers(3),
    revision: 'r1',
    counts: { probes: 0, fetches: 0 },
    beforeProbe: () => {},
    beforeFetch: () => {},
  };
  const manager = createManager({ createSource: () => sourceOf(upstream), ingest, snapshots });
  const capacity = {
    hungWork: new HungWork({ graceMs: 50 }),
    isolation: new PoisonIsolation({ turnMs }),
  };
  const deps: SyncDependencies = {
    manager,
    capacity,
    memory: ingest.memory,
    ...(quiet
      ? {
          noOpTicks: new NoOpTicks({
            manager,
            runStore,
            clock,
            logger,
            capacity,
            memory: ingest.memory,
          }),
        }
      : {}),
    runStore,
    status: createRecordStatusPersistence(state.records),
    config,
    keeper: new LeaseKeeper({ runStore, config, clock, logger, observer, times: TIMES }),
    times: TIMES,
    clock,
    logger,
    observer,
    owner: 'alice',
    random: () => 0,
  };
  const reader = createSnapshotReader({ store: snapshots });
  return {
    deps,
    clock,
    state,
    snapshots,
    config,
    logger,
    observer,
    upstream,
    sync: (tick: Tick = TICK, stop: AbortSignal = new AbortController().signal) =>
      syncRegistry(deps, tick, stop),
    status: (registry = 'alpha'): SyncStatus | undefined => state.of(registry).status,
    open: (registry = 'alpha') => reader.open(registry),
    /** Returns the names of the served rows, in order. */
    async served(registry = 'alpha'): Promise<string[] | undefined> {
      const snapshot = await reader.open(registry);
      if (snapshot === undefined) return undefined;
      const names: string[] = [];
      for await (const { server: row } of snapshot.rows()) names.push(row.name);
      return names;
    },
  };
}

export type SyncHarness = ReturnType<typeof createSyncHarness>;

/** Returns the run of a tick. @throws Error if the tick was refused */
export function ran(result: TickResult): Extract<TickResult, { state: 'ran' }>['run'] {
  if (result.state === 'ran') return result.run;
  throw new Error(`expected a run, found ${result.state}`);
}

/** Returns the source of a fake upstream. */
export function sourceOf(upstream: FakeUpstream): Source {
  return {
    async probe(known, context) {
      upstream.counts.probes += 1;
      await upstream.beforeProbe(context);
      return known === upstream.revision ? { state: 'unchanged' } : { state: 'changed' };
    },
    async fetch(take, context) {
      upstream.counts.fetches += 1;
      await upstream.beforeFetch(context);
      context.upstream.requests += 1;
      const rows: FakeBody = { body: JSON.stringify({ servers: upstream.rows }) };
      for (const { body, origin } of upstream.bodies ?? [rows]) {
        await take(Buffer.from(body), origin);
      }
      return { kind: 'whole', revision: upstream.revision };
    },
  };
}

/** Waits until the run's signal is aborted, like a source without an answer. */
export function untilAborted({ signal }: SourceContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
