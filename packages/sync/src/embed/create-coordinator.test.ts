import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createManager, type Manager } from '../perform/manager.ts';
import { createRecordingLogger, createRecordingObserver } from '../testing/recorders.ts';
import { server } from '../testing/sync-harness.ts';
import {
  type CreateCoordinatorOptions,
  createCoordinator,
  type EmbeddedCoordinator,
} from './create-coordinator.ts';
import {
  createFileStatusPersistence,
  createInMemoryStatusPersistence,
} from './status-persistence.ts';

let directory: string;
const coordinators: EmbeddedCoordinator[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-embed-'));
});
afterEach(async () => {
  await Promise.all(coordinators.splice(0).map((coordinator) => coordinator.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function writeRegistry(name: string, ...names: string[]): Promise<void> {
  const servers = names.map((it) => server(it));
  await writeFile(join(directory, `${name}.json`), JSON.stringify({ servers }));
}

function configOf(...names: string[]) {
  return {
    registries: names.map((name) => ({
      name,
      file: { path: join(directory, `${name}.json`) },
      syncPolicy: { interval: '1s' },
    })),
  } satisfies ConfigInput;
}

function coordinatorOf(options: Partial<CreateCoordinatorOptions> = {}) {
  const coordinator = createCoordinator({
    config: configOf('alpha'),
    dataDir: join(directory, 'data'),
    stopGraceMs: 2_000,
    ...options,
  });
  coordinators.push(coordinator);
  return coordinator;
}

async function namesOf(coordinator: EmbeddedCoordinator, catalog: string): Promise<string[]> {
  const rows = await Array.fromAsync(coordinator.rows(catalog));
  return rows.map((row) => row.server.name);
}

const IDLE: Manager = {
  shouldSync: async () => ({ sync: false, outcome: 'unchanged', reason: 'up-to-date-with-policy' }),
  performSync: async () => {
    throw new Error('there is nothing to sync');
  },
};

/** Never ends, and ignores its signal. */
const DEAF: Manager = { ...IDLE, shouldSync: () => new Promise(() => {}) };

describe('createCoordinator', () => {
  test('rows wait for the first sync, the status is copied, and all data lies in the data folder', async () => {
    await writeRegistry('alpha', 'one', 'two');
    const path = join(directory, 'data', 'status.json');
    const coordinator = coordinatorOf({ status: createFileStatusPersistence({ path }) });
    await coordinator.start();
    expect(await namesOf(coordinator, 'alpha')).toEqual(['one', 'two']);
    expect(await coordinator.getStatus('alpha')).toMatchObject({
      phase: 'Complete',
      versionCount: 2,
    });
    await coordinator.stop();
    const { registries } = JSON.parse(await readFile(path, 'utf8'));
    expect(registries.alpha).toMatchObject({ phase: 'Complete', versionCount: 2 });
    expect((await readdir(directory)).sort()).toEqual(['alpha.json', 'data']);
  });

  test('a new coordinator serves the rows of the previous one, even without an upstream', async () => {
    await writeRegistry('alpha', 'one');
    const first = coordinatorOf();
    await first.start();
    await namesOf(first, 'alpha');
    await first.stop();
    await rm(join(directory, 'alpha.json'));
    const status = createInMemoryStatusPersistence();
    const second = coordinatorOf({ status });
    expect(await namesOf(second, 'alpha')).toEqual(['one']);
    await second.start();
    expect(await namesOf(second, 'alpha')).toEqual(['one']);
    // The copy begins empty, and is filled from the files.
    await vi.waitFor(async () =>
      expect(await status.load('alpha')).toMatchObject({ phase: 'Failed', versionCount: 1 }),
    );
  });

  test('a status that cannot be saved does not stop syncing, and is saved later', async () => {
    await writeRegistry('alpha', 'one');
    const status = createInMemoryStatusPersistence();
    const save = status.save;
    status.save = async () => {
      throw new Error('the database is away');
    };
    const logger = createRecordingLogger();
    const observer = createRecordingObserver();
    const coordinator = coordinatorOf({ status, logger, observer });
    await coordinator.start();
    expect(await namesOf(coordinator, 'alpha')).toEqual(['one']);
    await writeRegistry('alpha', 'one', 'two');
    await vi.waitFor(() => expect(observer.runs.map(({ rowCount }) => rowCount)).toContain(2));
    expect(logger.entries).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'could not save the status' }),
    );
    status.save = save;
    await coordinator.stop();
    expect(await status.load('alpha')).toMatchObject({ versionCount: 2 });
  });

  test('a second coordinator on the same folder is rejected until the first one has stopped', async () => {
    const first = coordinatorOf({ manager: IDLE });
    const second = coordinatorOf({ manager: IDLE });
    await first.start();
    await expect(second.start()).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('another coordinator uses '),
    });
    await first.stop();
    await second.start();
    await vi.waitFor(async () =>
      expect(await second.getStatus('alpha')).toMatchObject({ phase: 'Complete' }),
    );
  });

  test('a registry whose state cannot be read does not stop the others', async () => {
    await writeRegistry('beta', 'one');
    const folder = join(directory, 'data', 'registries', 'alpha');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'state.json'), 'no JSON');
    const coordinator = coordinatorOf({ config: configOf('alpha', 'beta') });
    await coordinator.start();
    expect(await namesOf(coordinator, 'beta')).toEqual(['one']);
    await expect(coordinator.getStatus('alpha')).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('the parts of the default manager can be wrapped', async () => {
    await writeRegistry('alpha', 'one');
    const asked: string[] = [];
    const coordinator = coordinatorOf({
      manager: (parts) => {
        const manager = createManager(parts);
        return {
          ...manager,
          shouldSync: (context) => {
            asked.push(context.registry.name);
            return manager.shouldSync(context);
          },
        };
      },
    });
    await coordinator.start();
    expect(await namesOf(coordinator, 'alpha')).toEqual(['one']);
    expect(asked).toEqual(['alpha']);
  });

  test('a catalog of the config is served, and is rebuilt when a member changes', async () => {
    await writeRegistry('alpha', 'one');
    await writeRegistry('beta', 'two');
    const config = {
      ...configOf('alpha', 'beta'),
      catalogs: [{ name: 'default', registries: ['beta', 'alpha'] }],
    };
    const coordinator = coordinatorOf({ config });
    await coordinator.start();
    expect(await namesOf(coordinator, 'default')).toEqual(['one', 'two']);
    expect((await coordinator.getStatus('default')).versionCount).toBe(2);
    expect([...(await coordinator.getStatus()).keys()]).toEqual([
      'alpha',
      'beta',
      'catalog.default',
    ]);
    const { freshnessOf } = await coordinator.openCatalog('default');
    expect(freshnessOf('alpha')).toMatchObject({ stale: false, syncedAt: expect.any(String) });
    expect(freshnessOf('gone')).toMatchObject({ stale: true });
    await writeRegistry('alpha', 'one', 'three');
    await vi.waitFor(async () => expect(await namesOf(coordinator, 'default')).toHaveLength(3));
  });

  test('reading the rows of a catalog that cannot be served rejects with the reason', async () => {
    const coordinator = coordinatorOf({
      config: {
        registries: [
          ...configOf('alpha').registries,
          ...configOf('beta').registries.map((beta) => ({ ...beta, suspended: true })),
        ],
        catalogs: [{ name: 'default', registries: ['alpha', 'beta'] }],
      },
    });
    const rows = (name: string) => namesOf(coordinator, name);
    await expect(rows('alpha')).rejects.toThrow('not running');
    await coordinator.start();
    await expect(rows('alpha')).rejects.toMatchObject({
      code: 'catalog-not-ready',
      message: expect.stringContaining('alpha.json'),
    });
    await expect(rows('beta')).rejects.toMatchObject({ code: 'catalog-not-ready' });
    await expect(rows('default')).rejects.toMatchObject({ code: 'catalog-not-ready' });
    await expect(rows('nope')).rejects.toMatchObject({ code: 'unknown-catalog' });
    await expect(coordinator.openCatalog('alpha')).rejects.toMatchObject({
      code: 'catalog-not-ready',
    });
  });

  test.each([
    ['http://127.0.0.1:1/', 'source-unreachable'],
    ['http://[::1]:1/', 'source-unreachable'],
    ['http://localhost:1/', 'source-unreachable'],
    ['http://10.0.0.1:1/', 'source-address-refused'],
    ['http://169.254.169.254/', 'source-address-refused'],
  ])('the endpoint %s in the config fails with %s', async (endpoint, errorCode) => {
    const coordinator = coordinatorOf({
      config: { registries: [{ name: 'alpha', api: { endpoint } }] },
    });
    await coordinator.start();
    await vi.waitFor(async () =>
      expect(await coordinator.getStatus('alpha')).toMatchObject({ phase: 'Failed' }),
    );
    expect((await coordinator.getStatus('alpha')).errorCode).toBe(errorCode);
  });

  test.each([
    [{ dataDir: '' }, 'dataDir: use the path of a folder'],
    [{ stopGraceMs: -1 }, 'stopGraceMs: use 0 or more'],
    [{ heavyRuns: 0 }, 'heavyRuns: use 1 or more'],
  ])('the options %j are rejected with the name of the option', (options, problem) => {
    expect(() => coordinatorOf(options)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: `Options rejected. ${problem}` }),
    );
  });

  test('an invalid config is rejected with all its problems', () => {
    const config = { registries: [{ name: 'No Name', file: { path: 'x' } }, { name: 'beta' }] };
    expect(() => coordinatorOf({ config })).toThrow(/registries\[0\]\.name: .*registries\[1\]/s);
  });
});

describe('getStatus', () => {
  test('shows a run whose process died as interrupted, not as Syncing', async () => {
    const coordinator = coordinatorOf({ config: configOf('alpha', 'beta') });
    const state = { v: 1, registry: 'alpha', control: {}, runs: [], supersededAtMs: {} };
    const status = { phase: 'Syncing', term: '1', owner: 'dead', leaseUntil: 1 };
    const folder = join(directory, 'data', 'registries', 'alpha');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'state.json'), JSON.stringify({ ...state, status }));
    expect(await coordinator.getStatus('alpha')).toMatchObject({
      phase: 'Pending',
      message: expect.stringContaining('interrupted'),
    });
    const phases = [...(await coordinator.getStatus())].map(([name, { phase }]) => [name, phase]);
    expect(phases).toEqual([
      ['alpha', 'Pending'],
      ['beta', 'Pending'],
    ]);
    expect(await coordinator.getStatus('nobody')).toMatchObject({ phase: 'Pending' });
  });
});

describe('stop', () => {
  test('ends within its grace period even if a manager hangs, and unlocks the folder', async () => {
    const coordinator = coordinatorOf({ manager: DEAF, stopGraceMs: 300 });
    await coordinator.start();
    await vi.waitFor(async () =>
      expect((await coordinator.getStatus('alpha')).phase).toBe('Syncing'),
    );
    const rows = namesOf(coordinator, 'alpha');
    rows.catch(() => {});
    const startedAt = performance.now();
    await coordinator.stop();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await expect(rows).rejects.toMatchObject({ code: 'catalog-not-ready' });
    await coordinator.ended;

    const next = coordinatorOf({ manager: IDLE });
    await next.start();
    await vi.waitFor(async () => expect((await next.getStatus('alpha')).phase).toBe('Complete'));
  });

  test('is also triggered by a signal, even if the signal was aborted before the start', async () => {
    const signal = new AbortController();
    const coordinator = coordinatorOf({ manager: IDLE });
    await coordinator.start(signal.signal);
    signal.abort();
    await coordinator.ended;
    await expect(coordinator.start()).rejects.toThrow('Create a new coordinator');

    const other = coordinatorOf({ manager: IDLE });
    await other.start(AbortSignal.abort());
    await other.ended;
    expect(await other.getStatus('alpha')).toMatchObject({ phase: 'Complete' });
  });
});
