import { registryConfig } from '@syncline/contract/testing';
import { compileFilter } from '@syncline/rows/filter';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type BuiltSnapshot, SnapshotBuilder } from '../build.ts';
import { decodeRows } from '../encoding/chunk.ts';
import type { Manifest } from '../encoding/manifest.ts';
import type { Blob } from '../store.ts';
import { build, ingested } from '../testing/test-snapshots.ts';
import { applyDelta } from './apply-delta.ts';
import { deriveView } from './derive-view.ts';

const START_MS = Date.parse('2026-01-01T00:00:00Z');
const FILTERS = {
  all: registryConfig().filter,
  some: registryConfig({ filter: { names: { exclude: ['io.x/s1*'] } } }).filter,
  others: registryConfig({ filter: { names: { include: ['io.x/*5', 'io.x/*7'] } } }).filter,
};

interface Row {
  readonly name: string;
  readonly version: string;
  readonly description: string;
}

let blobs: Map<string, Blob>;
let asked: string[];
beforeEach(() => {
  blobs = new Map();
  asked = [];
});

async function readChunks(digests: readonly string[]): Promise<Blob[]> {
  asked.push(...digests);
  return digests.map((digest) => blobs.get(digest) ?? { digest, bytes: Buffer.alloc(0) });
}

function keep(built: BuiltSnapshot): BuiltSnapshot {
  for (const chunk of built.newChunks) blobs.set(chunk.digest, chunk);
  return built;
}

async function mirrorOf(rows: readonly Row[], { previous, nowMs }: Base): Promise<BuiltSnapshot> {
  return keep(await build(rows, { nowMs, previous, readChunks }));
}

interface Base {
  readonly previous: Manifest | undefined;
  readonly nowMs: number;
}

async function viewOf(
  mirror: Manifest,
  { filter, before, previous, nowMs }: Base & { filter: keyof typeof FILTERS; before?: Manifest },
): Promise<BuiltSnapshot> {
  const view = await deriveView({
    mirror,
    before,
    nowMs,
    readChunks,
    builder: new SnapshotBuilder({ previous }),
    filter: FILTERS[filter],
    origin: { mirror: 'of the test', filterHash: filter },
  });
  return keep(view);
}

function shown({ chunks }: Manifest) {
  return chunks.flatMap((chunk) => {
    const blob = blobs.get(chunk.digest);
    if (blob === undefined) throw new Error(`no chunk ${chunk.digest}`);
    return decodeRows(blob, chunk);
  });
}

function rows(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `io.x/s${String(index).padStart(4, '0')}`,
    version: '1.0.0',
    description: 'does things',
  }));
}

describe('a view', () => {
  test('has the rows that pass, stamped with the time at which they were first served, and names its mirror', async () => {
    const mirror = await mirrorOf(rows(30), { previous: undefined, nowMs: START_MS });
    const base = { previous: mirror.manifest, nowMs: START_MS + 1_000 };
    const { manifest, diff } = await viewOf(mirror.manifest, { filter: 'others', ...base });
    expect(shown(manifest).map(({ value }) => value['server'])).toMatchObject([
      { name: 'io.x/s0005' },
      { name: 'io.x/s0007' },
      { name: 'io.x/s0015' },
      { name: 'io.x/s0017' },
      { name: 'io.x/s0025' },
      { name: 'io.x/s0027' },
    ]);
    expect(diff).toMatchObject({ added: 0, updated: 0, removed: 24 });
    expect(shown(manifest).every(({ updatedAtMs }) => updatedAtMs === START_MS)).toBe(true);
    expect(manifest).toMatchObject({
      rowCount: 6,
      serverCount: 6,
      sourceRowCount: 30,
      mirror: 'of the test',
      filterHash: 'others',
    });
    const wider = { previous: manifest, nowMs: START_MS + 2_000 };
    const all = await viewOf(mirror.manifest, { filter: 'all', ...wider });
    expect(all.diff).toMatchObject({ added: 24, updated: 0, removed: 0 });
    const stamps = shown(all.manifest).map(({ updatedAtMs }) => updatedAtMs);
    expect(stamps.filter((stamp) => stamp === START_MS)).toHaveLength(6);
    expect(stamps.filter((stamp) => stamp === START_MS + 2_000)).toHaveLength(24);
  });

  test('marks the latest among the versions that pass, even if the upstream marks another one', async () => {
    const tagged = (version: string, isLatest: boolean, ...tags: string[]) => ({
      server: {
        name: 'io.x/a',
        version,
        description: 'x',
        _meta: { 'io.modelcontextprotocol.registry/publisher-provided': { x: { y: { tags } } } },
      },
      _meta: { 'io.modelcontextprotocol.registry/official': { isLatest } },
    });
    const all = [tagged('1.0.0', false, 'old'), tagged('2.0.0', false), tagged('3.0.0', true)];
    const built = keep(await build(all, { nowMs: START_MS, readChunks }));
    const view = await deriveView({
      mirror: built.manifest,
      before: undefined,
      builder: new SnapshotBuilder({ previous: undefined }),
      filter: registryConfig({ filter: { tags: { include: ['old'] } } }).filter,
      origin: {},
      nowMs: START_MS,
      readChunks,
    });
    keep(view);
    expect(shown(built.manifest).map(({ isLatest }) => isLatest)).toEqual([false, false, true]);
    expect(shown(view.manifest)).toMatchObject([{ isLatest: true }]);
  });

  test('reads only the chunks that a change of the mirror touches', async () => {
    const first = await mirrorOf(rows(3_000), { previous: undefined, nowMs: START_MS });
    const before = first.manifest;
    const base = { previous: before, nowMs: START_MS };
    const view = await viewOf(before, { filter: 'some', ...base });
    const changed = rows(3_000).with(2_000, { ...rows(2_001)[2_000], description: 'new' } as Row);
    const mirror = await mirrorOf(changed, { ...base, nowMs: START_MS + 1 });
    asked = [];
    const next = { previous: view.manifest, nowMs: START_MS + 1, before };
    const { diff, newChunks } = await viewOf(mirror.manifest, { filter: 'some', ...next });
    expect(diff).toMatchObject({ added: 0, updated: 1, removed: 0 });
    expect(newChunks.length).toBeLessThan(4);
    expect(asked.length).toBeLessThan(12);
  });
});

describe('a delta', () => {
  test('reads and writes only the chunks that it touches', async () => {
    const { manifest } = await mirrorOf(rows(3_000), { previous: undefined, nowMs: START_MS });
    asked = [];
    const {
      diff,
      newChunks,
      manifest: after,
    } = await delta(manifest, {
      upserts: [{ ...rows(1)[0], description: 'new' } as Row],
      removals: [{ name: 'io.x/s2000', version: '1.0.0' }],
      nowMs: START_MS + 1,
    });
    expect(diff).toMatchObject({ added: 0, updated: 1, removed: 1 });
    expect(after.rowCount).toBe(2_999);
    expect(newChunks.length).toBeLessThan(6);
    expect(asked.length).toBeLessThan(8);
  });

  test('without rows changes nothing', async () => {
    const { manifest } = await mirrorOf(rows(100), { previous: undefined, nowMs: START_MS });
    const built = await delta(manifest, { upserts: [], removals: [], nowMs: START_MS + 1 });
    expect(built.manifest).toEqual(manifest);
    expect(built.newChunks).toEqual([]);
  });
});

async function delta(
  previous: Manifest,
  {
    upserts,
    ...options
  }: { upserts: readonly Row[]; removals: readonly Row[] | Key[]; nowMs: number },
): Promise<BuiltSnapshot> {
  const builder = new SnapshotBuilder({ previous });
  return keep(await applyDelta({ builder, upserts: ingested(upserts), readChunks, ...options }));
}

type Key = Pick<Row, 'name' | 'version'>;

describe('a build after any history of changes and filters', () => {
  const row: fc.Arbitrary<Row> = fc.record({
    name: fc.integer({ min: 0, max: 200 }).map((n) => `io.x/s${n}`),
    version: fc.integer({ min: 1, max: 3 }).map((n) => `${n}.0.0`),
    description: fc.constantFrom('x', 'y'),
  });
  const change = fc.record({
    upserts: fc.array(row, { maxLength: 8 }),
    removes: fc.array(fc.nat({ max: 1_000 }), { maxLength: 8 }),
    isWhole: fc.boolean(),
    filter: fc.constantFrom<keyof typeof FILTERS>('some', 'some', 'others', 'all'),
  });

  test('equals a build that reads everything', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 100, maxLength: 400, size: 'max' }),
        fc.array(change, { maxLength: 6 }),
        async (start, changes) => {
          let nowMs = START_MS;
          const state = new Map(start.map((it) => [keyOf(it), it]));
          let mirror = (await mirrorOf([...state.values()], { previous: undefined, nowMs }))
            .manifest;
          let filter: keyof typeof FILTERS = 'some';
          let view = (await viewOf(mirror, { filter, previous: undefined, nowMs })).manifest;
          for (const { upserts, removes, isWhole, filter: wanted } of changes) {
            nowMs += 1_000;
            const known = [...state.values()];
            const removals = removes.flatMap((index) => known[index % known.length] ?? []);
            const unique = [...new Map(upserts.map((it) => [keyOf(it), it])).values()];
            edit(state, { upserts: unique, removals });
            const whole = await mirrorOf([...state.values()], { previous: mirror, nowMs });
            const patched = await delta(mirror, { upserts: unique, removals, nowMs });
            expect(patched.manifest.chunks).toEqual(whole.manifest.chunks);
            expect(patched.manifest.serverCount).toBe(whole.manifest.serverCount);
            const next = (isWhole ? whole : patched).manifest;
            const base = { previous: view, nowMs };
            const before = wanted === filter ? { before: mirror } : {};
            const derived = await viewOf(next, { filter: wanted, ...base, ...before });
            expect(derived.manifest.chunks).toEqual(
              (await built([...state.values()], wanted, base)).manifest.chunks,
            );
            mirror = next;
            filter = wanted;
            view = derived.manifest;
          }
        },
      ),
      { numRuns: 40, seed: 20_261_127 },
    );
  });
});

function edit(
  state: Map<string, Row>,
  { upserts, removals }: { upserts: readonly Row[]; removals: readonly Key[] },
): void {
  for (const removal of removals) state.delete(keyOf(removal));
  for (const upsert of upserts) state.set(keyOf(upsert), upsert);
}

function keyOf({ name, version }: Key): string {
  return `${name}@${version}`;
}

/** Builds a snapshot of a source that has only the rows that pass. */
function built(all: readonly Row[], filter: keyof typeof FILTERS, base: Base) {
  const passes = compileFilter(FILTERS[filter]);
  return mirrorOf(
    all.filter(({ name }) => passes({ name })),
    base,
  );
}
