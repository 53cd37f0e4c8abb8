import { redisKeys } from '@syncline/contract';
import { OFFICIAL_META } from '@syncline/rows';
import { expect, test } from 'vitest';
import type { ApiClient } from '../support/api-client.ts';
import { testLifetime } from '../support/lifetime.ts';
import { OPS_ENV, opsUrl, readMetrics, sumOf } from '../support/ops.ts';
import { connect } from '../support/redis.ts';
import { generateRows } from '../support/rows/generate.ts';
import { type OfficialRow, rowKey } from '../support/rows/row.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { untilComplete, untilRun } from '../support/until-registry.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/** Three pages of the upstream. */
const ROWS = generateRows({ count: 250, seed: 41 });
const IDS = ROWS.map(rowKey).sort();

/** The same rows, each of which names the state that it belongs to. */
function stateOf(name: string): OfficialRow[] {
  return ROWS.map((row) => ({ ...row, server: { ...row.server, description: name } }));
}

const isSecondPage = ({ query }: { query: URLSearchParams }) => query.has('cursor');

async function startHeld(options: { env?: Record<string, string> } = {}) {
  const upstream = await startUpstream({ rows: stateOf('old') });
  const config = {
    registries: [
      { name: 'held', api: { endpoint: upstream.url }, syncPolicy: { interval: '12h' } },
    ],
  };
  const system = await startSystem({ config, ...options });
  await untilComplete(system.client, 'held');
  return { upstream, system };
}

/** Starts a sync, and returns the worker that does it, stopped in the middle of its walk. */
async function holdSync({ upstream, system }: { upstream: Upstream; system: System }) {
  const gate = upstream.hold({ when: isSecondPage });
  testLifetime.defer(() => gate.release());
  expect((await system.client.post('/v1/registries/held/sync')).status).toBe(202);
  await gate.arrived;
  const { status } = await system.client.registry('held');
  expect(status.phase).toBe('Syncing');
  const holder = system.workers.find(({ pid }) => status.owner?.includes(`-${pid}-`));
  const other = system.workers.find((worker) => worker !== holder);
  if (!holder || !other) throw new Error(`no worker is ${status.owner}`);
  return { gate, holder, other, term: status.term };
}

test('another worker runs a sync whose worker was killed, and readers see no partial state', async () => {
  const { upstream, system } = await startHeld();
  const { client } = system;
  const reading = readAgainAndAgain(client);
  upstream.replace(stateOf('new'));
  const { holder, other, term } = await holdSync({ upstream, system });
  await holder.kill();

  const run = await untilRun(client, 'held', ({ diff }) => diff?.updated === ROWS.length);
  expect(run).toMatchObject({ outcome: 'published', trigger: 'manual' });
  expect(run.owner).toContain(`-${other.pid}-`);
  expect(Number(run.term)).toBeGreaterThan(Number(term));
  const { status, control } = await client.registry('held');
  expect(status).toMatchObject({ phase: 'Complete', startsWithoutFinish: 0 });
  expect(control.handled).toBe(control.requested);

  await until(() => reading.states.has('new') && reading.walks > 20, {
    what: 'a walk of the new state, and more than twenty walks',
  });
  await reading.stop();
  expect([...reading.states].sort()).toEqual(['new', 'old']);
});

test('a worker that was frozen during a sync publishes nothing when it continues', async () => {
  const { upstream, system } = await startHeld({ env: OPS_ENV });
  const { client } = system;
  upstream.replace(stateOf('late'));
  const { gate, holder, other, term } = await holdSync({ upstream, system });
  holder.pause();
  // The rest of the response is in its socket, so it will have a complete but old state to publish.
  gate.release();
  upstream.replace(stateOf('new'));

  const isLater = (found: { term: string }) => Number(found.term) > Number(term);
  const run = await untilRun(client, 'held', isLater);
  expect(run).toMatchObject({ outcome: 'published', trigger: 'manual' });
  expect(run.owner).toContain(`-${other.pid}-`);
  const published = await client.registry('held');
  const runs = await client.runs('held');
  expect(await stateServed(client)).toBe('new');

  // BullMQ's lock of its job ends later than its lease.
  const redis = connect(system.redisUrl);
  const locks = `${redisKeys(system.prefix).queuePrefix}:*:lock`;
  await until(async () => (await redis.keys(locks)).length === 0, {
    what: 'the BullMQ lock to expire',
  });
  holder.resume();
  const ended = await holder.waitForLog(
    ({ registry, outcome }) => registry === 'held' && outcome === 'interrupted',
    { what: 'that its run was interrupted' },
  );
  expect(ended['term']).toBe(term);
  const metrics = await readMetrics(await opsUrl(holder));
  expect(
    sumOf(metrics, 'syncline_fenced_writes_refused_total') +
      sumOf(metrics, 'syncline_lease_renewals_failed_total'),
  ).toBeGreaterThan(0);

  expect((await client.registry('held')).snapshot).toBe(published.snapshot);
  expect(await client.runs('held')).toEqual(runs);
  expect(await stateServed(client)).toBe('new');

  // The worker still works: it runs the next sync alone.
  await other.stop();
  upstream.replace(stateOf('newest'));
  const last = await client.sync('held');
  expect(last).toMatchObject({ outcome: 'published', diff: { updated: ROWS.length } });
  expect(last.owner).toContain(`-${holder.pid}-`);
  expect(await stateServed(client)).toBe('newest');
});

/** Returns the one state that all served rows belong to. */
async function stateServed(client: ApiClient): Promise<string> {
  const rows = await client.allServers('held');
  expect(rows.map(rowKey).sort()).toEqual(IDS);
  const [state, ...others] = new Set(rows.map(({ server }) => server.description));
  expect(others).toEqual([]);
  return state ?? '';
}

interface Reading {
  /** How many walks read a single snapshot from beginning to end. */
  readonly walks: number;
  /** The states that those walks have read. */
  readonly states: ReadonlySet<string>;
  /** @throws what the reading has found wrong */
  stop(): Promise<void>;
}

/**
 * Walks through all pages of the catalog without a pause. Each page is of one state. So is each walk during which the
 * registry's snapshot stayed the same. Every walk has all rows.
 */
function readAgainAndAgain(client: ApiClient): Reading {
  const states = new Set<string>();
  let walks = 0;
  let stopped = false;
  const read = async () => {
    while (!stopped) {
      const before = (await client.registry('held')).snapshot;
      const rows = await client.allServers('held');
      const after = (await client.registry('held')).snapshot;
      expect(rows.map(rowKey).sort()).toEqual(IDS);
      for (let start = 0; start < rows.length; start += 100) {
        expectOneState(rows.slice(start, start + 100));
      }
      if (before !== after) continue;
      expectOneState(rows);
      walks += 1;
      for (const { server } of rows) states.add(server.description);
    }
  };
  const reading = read();
  // It is examined when the reading is stopped.
  reading.catch(() => {});
  const stop = async () => {
    stopped = true;
    await reading;
  };
  testLifetime.defer(() => stop().catch(() => {}));
  return {
    get walks() {
      return walks;
    },
    states,
    stop,
  };
}

function expectOneState(rows: readonly OfficialRow[]): void {
  expect(new Set(rows.map(({ server }) => server.description)).size).toBe(1);
  expect(new Set(rows.map(({ _meta }) => _meta[OFFICIAL_META].updatedAt)).size).toBe(1);
}
