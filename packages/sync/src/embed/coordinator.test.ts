import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { createInMemorySnapshotStore } from '@syncline/snapshot/testing';
import { createSourceFactory, Git, HttpClient } from '@syncline/sources';
import { localGuard } from '@syncline/sources/testing';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createManager } from '../perform/manager.ts';
import type { TickSource } from '../ports/tick-source.ts';
import { createInMemoryRunStore } from '../testing/in-memory-run-store.ts';
import { createInMemoryState } from '../testing/in-memory-state.ts';

import { createRecordingLogger, createRecordingObserver } from '../testing/recorders.ts';
import { createStaticConfigSource } from '../testing/static-config-source.ts';
import { server, sourceOf, suiteIngestPool, untilAborted } from '../testing/sync-harness.ts';
import { Coordinator, type CoordinatorOptions } from './coordinator.ts';
import { createRecordStatusPersistence } from './records.ts';
import { createTimerTickSource } from './timer-tick-source.ts';

const ingest = suiteIngestPool();
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-coordinator-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function writeRegistry(name: string, ...names: string[]): Promise<void> {
  const servers = names.map((it) => server(it));
  await writeFile(join(directory, `${name}.json`), JSON.stringify({ servers }));
}

function fileRegistries(...names: string[]): ConfigInput {
  return {
    registries: names.map((name) => ({
      name,
      file: { path: join(directory, `${name}.json`) },
      syncPolicy: { interval: '1s' },
    })),
  };
}

/** A coordinator with real files and real timers. */
function createCoordinator(
  input: ConfigInput,
  options: Partial<CoordinatorOptions> = {},
): { coordinator: Coordinator; options: CoordinatorOptions & { runs: () => readonly string[] } } {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const state = createInMemoryState({ clock });
  const config = createStaticConfigSource(input);
  const logger = createRecordingLogger();
  const observer = createRecordingObserver();
  const guard = localGuard();
  const http = new HttpClient({ userAgent: () => undefined, guard });
  const git = new Git({ dataDir: tmpdir(), guard });
  onTestFinished(() => http.close());
  const all: CoordinatorOptions = {
    manager: createManager({
      createSource: createSourceFactory({ http, git }),
      ingest,
      snapshots: createInMemorySnapshotStore(state),
    }),
    memory: ingest.memory,
    status: createRecordStatusPersistence(state.records),
    runStore: createInMemoryRunStore(state),
    config,
    tickSource: createTimerTickSource({ config, logger }),
    logger,
    observer,
    owner: 'alice',
    stopGraceMs: 0,
    ...options,
  };
  const coordinator = new Coordinator(all);
  onTestFinished(() => coordinator.stop());
  const runs = () => observer.runs.map(({ registry, outcome }) => `${registry} ${outcome}`);
  return { coordinator, options: { ...all, runs } };
}

describe('Coordinator', () => {
  test('each registry is synced at the start, and then at its interval', async () => {
    await writeRegistry('alpha', 'one');
    await writeRegistry('beta', 'one', 'two');
    const { coordinator, options } = createCoordinator(fileRegistries('alpha', 'beta'));
    await coordinator.start();
    await vi.waitFor(() =>
      expect(options.runs()).toEqual(expect.arrayContaining(['alpha published', 'beta published'])),
    );
    await writeRegistry('alpha', 'one', 'two', 'three');
    await vi.waitFor(async () =>
      expect(await options.status.load('alpha')).toMatchObject({ versionCount: 3 }),
    );
    expect(await options.status.load('beta')).toMatchObject({
      phase: 'Complete',
      versionCount: 2,
    });
  });

  test('a registry that fails does not stop the others, and is retried', async () => {
    await writeRegistry('beta', 'one');
    const { coordinator, options } = createCoordinator(fileRegistries('alpha', 'beta'));
    await coordinator.start();
    await vi.waitFor(() =>
      expect(options.runs()).toEqual(expect.arrayContaining(['alpha failed', 'beta published'])),
    );
    expect(await options.status.load('alpha')).toMatchObject({
      phase: 'Failed',
      errorCode: 'source-file-missing',
    });
    await writeRegistry('alpha', 'one');
    await vi.waitFor(() => expect(options.runs()).toContain('alpha published'));
  });

  test('shows the status of each registry that the config names', async () => {
    await writeRegistry('alpha', 'one');
    const { coordinator, options } = createCoordinator(fileRegistries('alpha', 'beta'));
    await options.status.save('gone', { term: '1' }, { expected: undefined });
    expect([...(await coordinator.getStatus())].map(([name, { phase }]) => [name, phase])).toEqual([
      ['alpha', 'Pending'],
      ['beta', 'Pending'],
    ]);
    await coordinator.start();
    await vi.waitFor(async () =>
      expect((await coordinator.getStatus()).get('alpha')?.phase).toBe('Complete'),
    );
    expect(await coordinator.getStatus('alpha')).toMatchObject({ phase: 'Complete' });
  });

  test('shows a run whose process died as interrupted, not as Syncing', async () => {
    const { coordinator, options } = createCoordinator(fileRegistries('alpha'));
    const claim = { term: '1', owner: 'dead', phase: 'Syncing', leaseUntil: 1 } as const;
    await options.status.save('alpha', claim, { expected: undefined });
    expect(await coordinator.getStatus('alpha')).toMatchObject({
      phase: 'Pending',
      message: expect.stringContaining('interrupted'),
    });
  });

  describe('stop', () => {
    const hanging = () => {
      const fetching = Promise.withResolvers<void>();
      const upstream = {
        rows: [server('one')],
        revision: 'r1',
        counts: { probes: 0, fetches: 0 },
        beforeProbe: () => {},
        beforeFetch: untilAborted,
      };
      const source = sourceOf(upstream);
      const manager = createManager({
        createSource: () => {
          fetching.resolve();
          return source;
        },
        ingest,
        snapshots: createInMemorySnapshotStore(
          createInMemoryState({ clock: { now: () => 0, monotonic: () => 0 } }),
        ),
      });
      return { manager, fetching: fetching.promise };
    };

    test('interrupts the current runs, writes their status, and resolves when they have ended', async () => {
      const { manager, fetching } = hanging();
      const { coordinator, options } = createCoordinator(fileRegistries('alpha'), { manager });
      await coordinator.start();
      await fetching;
      await coordinator.stop();
      expect(options.runs()).toEqual(['alpha interrupted']);
      const status = await options.status.load('alpha');
      expect(status).toMatchObject({ phase: 'Pending', consecutiveFailures: 0 });
      expect(status?.owner).toBeUndefined();
    });

    test('stops the tick source once if it is called twice', async () => {
      const stops: number[] = [];
      const tickSource: TickSource = {
        start: async () => {},
        stop: async ({ graceMs }) => void stops.push(graceMs),
      };
      const { coordinator } = createCoordinator(fileRegistries('alpha'), {
        tickSource,
        stopGraceMs: 7,
      });
      await coordinator.start();
      await Promise.all([coordinator.stop(), coordinator.stop()]);
      expect(stops).toEqual([7]);
    });
  });

  test('the lateness of a tick is reported', async () => {
    await writeRegistry('alpha', 'one');
    const observer = createRecordingObserver();
    const dueAtMs = Date.now() - 5_000;
    const tickSource: TickSource = {
      start: async (handle) => {
        const tick = { registry: 'alpha', trigger: 'schedule', force: false } as const;
        await handle({ ...tick, purpose: { kind: 'tick' }, dueAtMs }, new AbortController().signal);
      },
      stop: async () => {},
    };
    const { coordinator } = createCoordinator(fileRegistries('alpha'), { tickSource, observer });
    await coordinator.start();
    expect(observer.latenessMs[0]).toBeGreaterThanOrEqual(5_000);
    expect(observer.latenessMs[0]).toBeLessThanOrEqual(Date.now() - dueAtMs);
  });
});
