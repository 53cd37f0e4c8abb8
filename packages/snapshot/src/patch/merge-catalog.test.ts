import { registryConfigSchema } from '@syncline/contract';
import { OFFICIAL_META, SYNCLINE_META } from '@syncline/rows';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BuiltSnapshot, SnapshotBuilder } from '../build.ts';
import { decodeRows } from '../encoding/chunk.ts';
import type { Manifest } from '../encoding/manifest.ts';
import type { Blob } from '../store.ts';
import { build } from '../testing/test-snapshots.ts';
import { mergeCatalog, TOMBSTONE_RETENTION_MS } from './merge-catalog.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.parse('2026-01-01T00:00:00Z');

interface Row {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly _meta?: object;
}

/** Registries and a catalog of them, with all their chunks. */
class Merged {
  readonly #names: readonly string[];
  readonly #filter: ReturnType<typeof registryConfigSchema.parse>['filter'];
  readonly #blobs = new Map<string, Blob>();
  readonly #members = new Map<string, { manifest: Manifest; before: Manifest | undefined }>();
  catalog: BuiltSnapshot | undefined;
  nowMs = START_MS;
  /** Digests asked for by the last merge. */
  asked: string[] = [];

  constructor(names: readonly string[], filter: object = {}) {
    this.#names = names;
    this.#filter = registryConfigSchema.parse({ name: 'x', file: { path: '/' }, filter }).filter;
  }

  async publish(registry: string, rows: readonly Row[]): Promise<void> {
    this.nowMs += 1_000;
    const known = this.#members.get(registry);
    const built = await build(
      rows.map((row) => ({ description: 'does things', ...row })),
      { nowMs: this.nowMs, previous: known?.manifest, readChunks: this.#read },
    );
    this.#keep(built);
    this.#members.set(registry, { manifest: built.manifest, before: known?.before });
  }

  #reading = false;
  readonly #read = async (digests: readonly string[]) => {
    if (this.#reading) throw new Error('asked for chunks twice at once');
    this.#reading = true;
    await Promise.resolve();
    this.#reading = false;
    this.asked.push(...digests);
    return digests.map((digest) => {
      const blob = this.#blobs.get(digest);
      if (blob === undefined) throw new Error(`no chunk ${digest}`);
      return blob;
    });
  };

  #keep({ newChunks }: BuiltSnapshot): void {
    for (const chunk of newChunks) this.#blobs.set(chunk.digest, chunk);
  }

  async merge({ afresh = false } = {}): Promise<BuiltSnapshot> {
    const built = await this.#build({ afresh });
    this.#keep(built);
    this.catalog = built;
    for (const [name, { manifest }] of this.#members) {
      this.#members.set(name, { manifest, before: manifest });
    }
    return built;
  }

  /** Returns the result of a merge, and stores nothing. */
  async #build({ afresh }: { afresh: boolean }): Promise<BuiltSnapshot> {
    this.nowMs += 1_000;
    this.asked = [];
    const previous = this.catalog?.manifest;
    return mergeCatalog({
      members: this.#names.map((registry) => {
        const { manifest, before } = this.#members.get(registry) ?? {};
        if (manifest === undefined) throw new Error(`${registry} has published nothing`);
        return { registry, manifest, before: afresh ? undefined : before };
      }),
      builder: new SnapshotBuilder({ previous }),
      filter: this.#filter,
      nowMs: this.nowMs,
      readChunks: this.#read,
    });
  }

  /** Returns the result of a merge that reads everything again. */
  async afresh(): Promise<BuiltSnapshot> {
    const nowMs = this.nowMs;
    this.nowMs -= 1_000;
    const built = await this.#build({ afresh: true });
    this.nowMs = nowMs;
    return built;
  }

  rows() {
    const { manifest } = this.catalog ?? {};
    return (manifest?.chunks ?? []).flatMap((chunk) => {
      const blob = this.#blobs.get(chunk.digest);
      if (blob === undefined) throw new Error(`no chunk ${chunk.digest}`);
      return decodeRows(blob, chunk).map((row) => ({
        ...row,
        ...(row.value as unknown as CatalogValue),
      }));
    });
  }

  /** Returns `name@version` of every row with its source, `†` for a tombstone, and `*` for the latest. */
  shown(): Record<string, string> {
    return Object.fromEntries(
      this.rows().map(({ server, _meta, isLatest }) => {
        const { source, tombstone } = _meta[SYNCLINE_META];
        const marks = `${tombstone === true ? '†' : ''}${isLatest ? '*' : ''}`;
        return [`${server.name}@${server.version}`, `${source}${marks}`];
      }),
    );
  }
}

interface CatalogValue {
  server: { name: string; version: string };
  _meta: {
    [SYNCLINE_META]: { source: string; tombstone?: true };
    [OFFICIAL_META]: { status?: string; publishedAt: string };
  };
}

const at = (...versions: readonly string[]): Row[] =>
  versions.map((key) => ({ name: key.split('@')[0] ?? '', version: key.split('@')[1] ?? '' }));

describe('a catalog of registries', () => {
  test('takes all versions of a name from the first registry that has it', async () => {
    const merged = new Merged(['internal', 'official']);
    await merged.publish('internal', at('a@1.0.0', 'b@1.0.0'));
    await merged.publish('official', at('b@2.0.0', 'b@3.0.0', 'c@1.0.0', 'c@2.0.0'));
    const { manifest, diff } = await merged.merge();
    expect(merged.shown()).toEqual({
      'a@1.0.0': 'internal*',
      'b@1.0.0': 'internal*',
      'c@1.0.0': 'official',
      'c@2.0.0': 'official*',
    });
    expect(manifest).toMatchObject({ rowCount: 4, serverCount: 3 });
    expect(diff).toMatchObject({ added: 4, updated: 0, removed: 0 });
  });

  test('keeps rows unchanged, except that publishedAt defaults to the time first seen', async () => {
    const merged = new Merged(['one']);
    const meta = { [OFFICIAL_META]: { status: 'deprecated', publishedAt: '2025-01-01T00:00:00Z' } };
    await merged.publish('one', [
      { name: 'a', version: '1', _meta: { own: 1 } },
      ...[{ server: { ...at('b@1')[0], description: 'x' }, _meta: meta }].map(
        (row) => row as unknown as Row,
      ),
    ]);
    const publishedAt = new Date(merged.nowMs).toISOString();
    await merged.merge();
    expect(merged.rows().map(({ value }) => value)).toEqual([
      {
        server: { name: 'a', version: '1', description: 'does things', _meta: { own: 1 } },
        _meta: { [OFFICIAL_META]: { publishedAt }, [SYNCLINE_META]: { source: 'one' } },
      },
      {
        server: { name: 'b', version: '1', description: 'x' },
        description: 'does things',
        _meta: { ...meta, [SYNCLINE_META]: { source: 'one' } },
      },
    ]);
  });

  test('leaves a tombstone if a name moves, is removed or returns', async () => {
    const merged = new Merged(['first', 'second']);
    await merged.publish('first', at('a@1.0.0', 'gone@1.0.0', 'gone@2.0.0'));
    await merged.publish('second', at('a@2.0.0', 'z@1.0.0'));
    await merged.merge();
    await merged.publish('first', at('q@1.0.0'));
    const moved = await merged.merge();
    expect(merged.shown()).toEqual({
      'a@1.0.0': 'first†',
      'a@2.0.0': 'second*',
      'gone@1.0.0': 'first†',
      'gone@2.0.0': 'first†*',
      'q@1.0.0': 'first*',
      'z@1.0.0': 'second*',
    });
    expect(moved.diff).toMatchObject({ added: 2, updated: 3, removed: 0 });
    const deleted = merged.rows().filter(({ _meta }) => _meta[SYNCLINE_META].tombstone);
    expect(deleted.map(({ _meta }) => _meta[OFFICIAL_META].status)).toEqual(
      Array(3).fill('deleted'),
    );
    await merged.publish('first', at('q@1.0.0', 'a@1.0.0'));
    await merged.merge();
    expect(merged.shown()).toMatchObject({ 'a@1.0.0': 'first*', 'a@2.0.0': 'second†' });
  });

  test('stamps only changed rows', async () => {
    const merged = new Merged(['first', 'second']);
    await merged.publish('first', at('a@1.0.0', 'b@1.0.0'));
    await merged.publish('second', at('b@2.0.0', 'c@1.0.0'));
    await merged.merge();
    const before = new Map(merged.rows().map((row) => [row.key, row.updatedAtMs]));
    await merged.publish('first', [
      ...at('a@1.0.0'),
      { name: 'b', version: '1.0.0', description: 'x' },
    ]);
    await merged.publish('second', at('b@9.0.0', 'c@1.0.0'));
    const { diff } = await merged.merge();
    // A change of a name that belongs to another registry has no effect.
    expect(diff).toMatchObject({ added: 0, updated: 1, removed: 0 });
    const changed = merged.rows().filter((row) => before.get(row.key) !== row.updatedAtMs);
    expect(changed.map(({ server }) => server.name)).toEqual(['b']);
    expect(changed[0]?.updatedAtMs).toBe(merged.nowMs);
  });

  test('filters by names and by tags', async () => {
    const tagged = (tag: string) => ({
      'io.modelcontextprotocol.registry/publisher-provided': { ns: { key: { tags: [tag] } } },
    });
    const filter = { names: { exclude: ['x*'] }, tags: { include: ['good'] } };
    const merged = new Merged(['first', 'second'], filter);
    await merged.publish('first', [
      { name: 'a', version: '1.0.0', _meta: tagged('good') },
      { name: 'a', version: '2.0.0', _meta: tagged('bad') },
      { name: 'b', version: '1.0.0', _meta: tagged('bad') },
      { name: 'x', version: '1.0.0', _meta: tagged('good') },
    ]);
    await merged.publish('second', [{ name: 'b', version: '9.0.0', _meta: tagged('good') }]);
    await merged.merge();
    // `b` belongs to the first registry, even if the filter removes it there.
    expect(merged.shown()).toEqual({ 'a@1.0.0': 'first*' });
  });

  test('removes a tombstone after its retention', async () => {
    const merged = new Merged(['one']);
    await merged.publish('one', at('a@1', 'b@1'));
    await merged.merge();
    await merged.publish('one', at('a@1'));
    await merged.merge();
    merged.nowMs += TOMBSTONE_RETENTION_MS - DAY_MS;
    await merged.merge({ afresh: true });
    expect(Object.keys(merged.shown())).toEqual(['a@1', 'b@1']);
    merged.nowMs += 2 * DAY_MS;
    const { diff } = await merged.merge({ afresh: true });
    expect(Object.keys(merged.shown())).toEqual(['a@1']);
    expect(diff).toMatchObject({ removed: 1 });
  });

  test('reads and writes few chunks for a small change', async () => {
    const many = (prefix: string, count: number) =>
      at(...Array.from({ length: count }, (_, index) => `${prefix}/${index}@1.0.0`));
    const merged = new Merged(['first', 'second']);
    await merged.publish('first', many('a.b', 3_000));
    await merged.publish('second', many('b.c', 3_000));
    await merged.merge();
    const rows = many('b.c', 3_000);
    await merged.publish(
      'second',
      rows.with(1_500, { ...at('b.c/1500@1.0.0')[0], description: 'x' } as Row),
    );
    const { newChunks, manifest, diff } = await merged.merge();
    expect(diff).toMatchObject({ added: 0, updated: 1, removed: 0 });
    expect(newChunks).toHaveLength(1);
    expect(manifest).toMatchObject({ rowCount: 6_000, serverCount: 6_000 });
    expect(merged.asked.length).toBeLessThanOrEqual(10);
  });
});

const NAMES = ['one', 'two', 'three'] as const;
type Name = (typeof NAMES)[number];
type Put = [[name: string, version: string], description: string];

describe('a merge after any history of registries', () => {
  const key = fc.tuple(
    fc.integer({ min: 0, max: 300 }).map((n) => `io.x/s${n % 150 < 75 ? n : n % 40}`),
    fc.integer({ min: 1, max: 4 }).map((n) => `${n}.0.0`),
  );
  const put: fc.Arbitrary<Put> = fc.tuple(key, fc.constantFrom('x', 'y'));
  const server = fc.integer({ min: 0, max: 300 }).map((n) => `io.x/s${n}`);
  const change = fc.record({
    member: fc.constantFrom(...NAMES),
    put: fc.array(put, { maxLength: 8 }),
    drop: fc.array(server, { maxLength: 8 }),
    merges: fc.boolean(),
  });
  const initial = fc.array(put, { minLength: 100, maxLength: 400, size: 'max' });

  test('equals a merge that reads everything', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(initial, initial, initial),
        fc.array(change, { maxLength: 6 }),
        async (starts, changes) => {
          const history = new History();
          for (const [index, name] of NAMES.entries()) {
            await history.publish(name, { put: starts[index] ?? [], drop: [] });
          }
          await history.check();
          for (const { member, merges, ...edit } of changes) {
            await history.publish(member, edit);
            if (merges) await history.check();
          }
          await history.check();
        },
      ),
      { numRuns: 30, seed: 20_261_124 },
    );
  });
});

/** Registries, a catalog of them, and its expected rows, computed in the simplest way. */
class History {
  readonly #merged = new Merged(NAMES);
  readonly #states = new Map(NAMES.map((name) => [name, new Map<string, Row>()]));
  /** `name@version` to its source, with a mark if it is a tombstone. */
  #expected = new Map<string, string>();

  async publish(member: Name, { put, drop }: { put: Put[]; drop: string[] }): Promise<void> {
    const state = this.#states.get(member) ?? new Map<string, Row>();
    for (const [[name, version], description] of put) {
      state.set(`${name}@${version}`, { name, version, description });
    }
    for (const [known, { name }] of state) if (drop.includes(name)) state.delete(known);
    await this.#merged.publish(member, [...state.values()]);
  }

  async check(): Promise<void> {
    const isFirst = this.#merged.catalog === undefined;
    const { manifest } = await this.#merged.merge();
    this.#expect();
    expect(this.#merged.shown()).toEqual(withLatest(this.#expected));
    const rows = this.#merged.rows();
    expect(manifest.rowCount).toBe(rows.length);
    expect(manifest.serverCount).toBe(new Set(rows.map(({ server }) => server.name)).size);
    if (isFirst) return;
    const whole = await this.#merged.afresh();
    expect(whole.diff).toMatchObject({ added: 0, updated: 0, removed: 0 });
    expect(whole.manifest.chunks).toEqual(manifest.chunks);
    expect(whole.manifest.serverCount).toBe(manifest.serverCount);
  }

  #expect(): void {
    const expected = new Map(
      [...this.#expected].map(([key, source]) => [
        key,
        source.endsWith('†') ? source : `${source}†`,
      ]),
    );
    const taken = new Set<string>();
    for (const registry of NAMES) {
      const rows = [...(this.#states.get(registry)?.values() ?? [])];
      const own = rows.filter(({ name }) => !taken.has(name));
      for (const { name, version } of own) expected.set(`${name}@${version}`, registry);
      for (const { name } of own) taken.add(name);
    }
    this.#expected = expected;
  }
}

/** Marks the latest of each name: its highest version, or the highest tombstone if it has no versions. */
function withLatest(expected: ReadonlyMap<string, string>): Record<string, string> {
  const rankOf = (key: string, source: string) => `${source.endsWith('†') ? 0 : 1}${key}`;
  const nameOf = (key: string) => key.split('@')[0] ?? '';
  const best = new Map<string, string>();
  for (const [key, source] of expected) {
    const known = best.get(nameOf(key));
    const rank = rankOf(key, source);
    if (known === undefined || rank > known) best.set(nameOf(key), rank);
  }
  return Object.fromEntries(
    [...expected].map(([key, source]) => {
      const isLatest = best.get(nameOf(key)) === rankOf(key, source);
      return [key, isLatest ? `${source}*` : source];
    }),
  );
}
