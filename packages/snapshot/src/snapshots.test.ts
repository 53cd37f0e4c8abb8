import type { Lease } from '@syncline/contract';
import { OFFICIAL_META, type ServedRow, SYNCLINE_META } from '@syncline/rows';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { BuiltSnapshot } from './build.ts';
import { chunkContent, encodeChunk } from './encoding/chunk.ts';
import { encodeManifest } from './encoding/manifest.ts';
import type { OpenSnapshot } from './open-snapshot.ts';
import { createSnapshotReader } from './reader.ts';
import { createSnapshotHarness, type SnapshotHarness } from './testing/snapshot-harness.ts';
import { storeRows } from './testing/test-snapshots.ts';

const START_MS = Date.parse('2026-02-01T12:00:00Z');

interface ModelRow {
  readonly name: string;
  readonly version: string;
  readonly text: string;
}

const keyOf = ({ name, version }: ModelRow) => `${name}@${version}`;

function upstreamRow({ name, version, text }: ModelRow): object {
  return { server: { name, version, description: text, extra: { text } }, _meta: {} };
}

/** Numbers that look random, and are the same in each run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function model(count: number): Map<string, ModelRow> {
  const random = createRandom(1);
  const rows = Array.from({ length: count }, (_, index) => ({
    name: `io.github.${'abcdé'[random(5)]}/server-${Math.floor(index / 2)}`,
    version: `1.${index}.0`,
    text: `row ${index}`,
  }));
  return new Map(rows.map((row) => [keyOf(row), row]));
}

async function all(rows: AsyncIterable<ServedRow>): Promise<ServedRow[]> {
  return Array.fromAsync(rows);
}

const key = ({ server }: ServedRow) => `${server.name}@${server.version}`;
const updatedAtMs = (row: ServedRow) => Date.parse(row._meta[OFFICIAL_META].updatedAt);

function byBytes(one: ServedRow, other: ServedRow): number {
  return (
    Buffer.compare(Buffer.from(one.server.name), Buffer.from(other.server.name)) ||
    Buffer.compare(Buffer.from(one.server.version), Buffer.from(other.server.version))
  );
}

let store: SnapshotHarness;
let lease: Lease;
let nowMs: number;
beforeEach(() => {
  store = createSnapshotHarness();
  lease = store.acquire('alpha');
  nowMs = START_MS;
});

/** Stores and publishes rows on top of the snapshot before. */
async function publish(rows: Iterable<ModelRow>, before?: BuiltSnapshot) {
  nowMs += 60_000;
  const built = await storeRows(store.snapshots, {
    lease,
    nowMs,
    rows: [...rows].map(upstreamRow),
    previous: before?.manifest,
  });
  store.publish('alpha', built.publication);
  lease = store.acquire('alpha');
  return built;
}

async function open(): Promise<OpenSnapshot> {
  const snapshot = await createSnapshotReader({ store: store.snapshots }).open('alpha');
  if (snapshot === undefined) throw new Error('nothing is published');
  return snapshot;
}

describe('a first snapshot', () => {
  test('has every row, stamped with the time at which it was read', async () => {
    const rows = model(500);
    const built = await publish(rows.values());
    expect(built.diff).toMatchObject({ added: 500, updated: 0, removed: 0 });
    expect(built.diff.samples.added).toHaveLength(50);
    const serverCount = new Set([...rows.values()].map(({ name }) => name)).size;
    expect(built.manifest).toMatchObject({ rowCount: 500, serverCount, newestMs: nowMs });
    const served = await all((await open()).rows());
    expect(served.map(key).sort()).toEqual([...rows.keys()].sort());
    expect(served).toEqual(served.toSorted(byBytes));
    expect(new Set(served.map(updatedAtMs))).toEqual(new Set([nowMs]));
  });

  test('may be empty', async () => {
    const built = await publish([]);
    expect(built.manifest).toMatchObject({ rowCount: 0, chunks: [] });
    const snapshot = await open();
    expect(await all(snapshot.rows())).toEqual([]);
    expect(await snapshot.row({ name: 'a', version: '1' })).toBeUndefined();
  });
});

describe('a later snapshot', () => {
  test('without a change equals the previous one', async () => {
    const rows = model(500);
    const first = await publish(rows.values());
    const second = await publish(rows.values(), first);
    expect(second.diff).toMatchObject({ added: 0, updated: 0, removed: 0 });
    expect(second.newChunks).toEqual([]);
    expect(second.manifestBlob.digest).toBe(first.manifestBlob.digest);
  });

  test('writes few chunks for one changed row of 3,000', async () => {
    const rows = model(3_000);
    const first = await publish(rows.values());
    const [changed] = rows.values();
    if (changed === undefined) throw new Error('there are rows');
    rows.set(keyOf(changed), { ...changed, text: 'new' });
    const second = await publish(rows.values(), first);
    expect(second.newChunks).toHaveLength(1);
    expect(second.diff).toMatchObject({ updated: 1, samples: { updated: [keyOf(changed)] } });
  });

  test('reads only the chunks that it replaces', async () => {
    const rows = model(3_000);
    const first = await publish(rows.values());
    const readChunks = vi.spyOn(store.snapshots, 'readChunks');
    rows.delete([...rows.keys()][1_500] ?? '');
    await publish(rows.values(), first);
    const read = readChunks.mock.calls.flatMap(([, digests]) => digests);
    expect(read.length).toBeLessThanOrEqual(6);
  });

  test('counts exactly the rows that random edits changed, and stamps only those', async () => {
    const random = createRandom(7);
    const rows = model(1_000);
    /** When each row last changed, and whether it is its name's latest, by brute force. */
    let expected = new Map<string, { stampMs: number; isLatest: boolean; text: string }>();
    let built = await publish(rows.values());
    expected = expectedState(rows, expected);

    for (let round = 0; round < 12; round += 1) {
      edit(rows, { random, edits: 1 + random(40) });
      const next = await publish(rows.values(), built);
      const before = expected;
      expected = expectedState(rows, before);
      const changed = [...expected].filter(([, { stampMs }]) => stampMs === nowMs);
      expect(next.diff).toMatchObject({
        added: changed.filter(([name]) => !before.has(name)).length,
        updated: changed.filter(([name]) => before.has(name)).length,
        removed: [...before.keys()].filter((name) => !expected.has(name)).length,
      });
      const served = await all((await open()).rows());
      expect(
        new Map(
          served.map((row) => [
            key(row),
            {
              stampMs: updatedAtMs(row),
              isLatest: row._meta[OFFICIAL_META].isLatest,
              text: String(row.server['description']),
            },
          ]),
        ),
      ).toEqual(expected);
      expect(served).toEqual(served.toSorted(byBytes));
      built = next;
    }
  });

  function edit(
    rows: Map<string, ModelRow>,
    { random, edits }: { random: (below: number) => number; edits: number },
  ): void {
    for (let done = 0; done < edits; done += 1) {
      const name = [...rows.keys()][random(rows.size)] ?? '';
      const row = rows.get(name);
      if (row === undefined) continue;
      const kind = random(4);
      if (kind === 0) rows.delete(name);
      else if (kind === 1) rows.set(name, { ...row, text: `edit ${random(1_000_000)}` });
      else {
        const added = { ...row, version: `${random(9)}.${random(9)}.${random(9)}` };
        rows.set(keyOf(added), added);
      }
    }
  }

  function expectedState(
    rows: ReadonlyMap<string, ModelRow>,
    before: ReadonlyMap<string, { stampMs: number; isLatest: boolean; text: string }>,
  ) {
    const latest = new Map<string, ModelRow>();
    for (const row of rows.values()) {
      const best = latest.get(row.name);
      if (best === undefined || isHigher(row.version, best.version)) latest.set(row.name, row);
    }
    return new Map(
      [...rows].map(([name, row]) => {
        const isLatest = latest.get(row.name) === row;
        const old = before.get(name);
        const same = old?.text === row.text && old.isLatest === isLatest;
        return [name, { text: row.text, isLatest, stampMs: same ? old.stampMs : nowMs }];
      }),
    );
  }

  function isHigher(one: string, other: string): boolean {
    const [a = [], b = []] = [one, other].map((version) => version.split('.').map(Number));
    for (const [place, number] of a.entries()) {
      if (number !== b[place]) return number > (b[place] ?? 0);
    }
    return false;
  }

  test('stamps the row that is no longer the latest', async () => {
    const old: ModelRow = { name: 'a', version: '1.0.0', text: 'old' };
    const first = await publish([old]);
    const second = await publish([old, { name: 'a', version: '2.0.0', text: 'new' }], first);
    expect(second.diff).toMatchObject({ added: 1, updated: 1 });
    const rows = await all((await open()).rows());
    expect(rows.map(updatedAtMs)).toEqual([nowMs, nowMs]);
    expect(rows.map((row) => row._meta[OFFICIAL_META].isLatest)).toEqual([false, true]);
  });

  test('stamps later than all earlier stamps, even if the clock went back', async () => {
    const first = await publish([{ name: 'a', version: '1', text: 'old' }]);
    nowMs -= 3_600_000;
    const second = await publish([{ name: 'a', version: '1', text: 'new' }], first);
    expect(second.manifest.newestMs).toBe(first.manifest.newestMs + 1);
    const [row] = await all((await open()).rows());
    expect(row && updatedAtMs(row)).toBe(first.manifest.newestMs + 1);
  });

  test('stamps later than a removal', async () => {
    const kept = { name: 'a', version: '1', text: 'a' };
    const first = await publish([kept, { name: 'b', version: '1', text: 'b' }]);
    const second = await publish([kept], first);
    expect(second.diff).toMatchObject({ removed: 1, samples: { removed: ['b@1'] } });
    expect(second.manifest.newestMs).toBe(nowMs);
  });

  test('keeps the time at which a row was first seen', async () => {
    const first = await publish([{ name: 'a', version: '1', text: 'old' }]);
    const firstSeen = new Date(nowMs).toISOString();
    await publish([{ name: 'a', version: '1', text: 'new' }], first);
    const [row] = await all((await open()).rows());
    expect(row?._meta[OFFICIAL_META].publishedAt).toBe(firstSeen);
  });
});

describe('a served row', () => {
  async function roundTrip(json: string): Promise<ServedRow> {
    nowMs += 1;
    const built = await storeRows(store.snapshots, { lease, nowMs, rows: [JSON.parse(json)] });
    store.publish('alpha', built.publication);
    lease = store.acquire('alpha');
    const [row] = await all((await open()).rows());
    if (row === undefined) throw new Error('the row is gone');
    return row;
  }

  test('has all fields of the upstream row, even unknown fields and unusual keys', async () => {
    const json =
      '{"__proto__":{"a":1},"server":{"zeta":[null,1e21,"\\ud800"],"name":"a","version":"1","description":"x",' +
      '"__proto__":{"polluted":true},"constructor":"c","1":"one"},"future":{"b":[]},"_meta":{"x/y":{"z":0.1}}}';
    const row = await roundTrip(json);
    const { _meta, ...rest } = JSON.parse(JSON.stringify(row));
    const { _meta: meta, ...expected } = JSON.parse(json);
    expect(JSON.stringify(rest)).toBe(JSON.stringify(expected));
    expect(_meta).toMatchObject(meta);
    expect(Object.keys(row.server)).toEqual(Object.keys(JSON.parse(json).server));
    expect(Object.hasOwn({}, 'polluted')).toBe(false);
  });

  test('keeps the official block except updatedAt and isLatest, and stores the old updatedAt separately', async () => {
    const official = {
      status: 'deprecated',
      publishedAt: '2020-01-01T00:00:00Z',
      updatedAt: '2021-01-01T00:00:00Z',
      isLatest: true,
      statusMessage: 'use b',
    };
    const row = await roundTrip(
      JSON.stringify({
        server: { name: 'a', version: '1', description: 'x' },
        _meta: { [OFFICIAL_META]: official },
      }),
    );
    expect(row._meta[OFFICIAL_META]).toEqual({
      ...official,
      updatedAt: new Date(nowMs).toISOString(),
    });
    expect(row._meta[SYNCLINE_META]).toEqual({
      source: 'alpha',
      upstreamUpdatedAt: '2021-01-01T00:00:00Z',
    });
  });

  test('has defaults for fields that the upstream omits', async () => {
    const row = await roundTrip('{"name":"a","version":"1","description":"x"}');
    const now = new Date(nowMs).toISOString();
    expect(row._meta).toEqual({
      [OFFICIAL_META]: { status: 'active', publishedAt: now, updatedAt: now, isLatest: true },
      [SYNCLINE_META]: { source: 'alpha' },
    });
  });

  test('with unusual keys does not count as updated while it is unchanged', async () => {
    const row = JSON.parse('{"__proto__":1,"server":{"name":"a","version":"1","description":"x"}}');
    const first = await storeRows(store.snapshots, { lease, nowMs, rows: [row] });
    const second = await storeRows(store.snapshots, {
      lease,
      nowMs: nowMs + 1,
      rows: [row, { name: 'b', version: '1', description: 'x' }],
      previous: first.manifest,
    });
    expect(second.diff).toMatchObject({ added: 1, updated: 0 });
  });
});

describe('the reader', () => {
  test('continues after any key, present or not', async () => {
    const rows = model(400);
    await publish(rows.values());
    const snapshot = await open();
    const served = await all(snapshot.rows());
    for (const place of [0, 1, 63, 64, 127, 200, 398, 399]) {
      const after = served[place];
      if (after === undefined) throw new Error('there are 400 rows');
      expect((await all(snapshot.rows({ after: after.server }))).map(key)).toEqual(
        served.slice(place + 1).map(key),
      );
      const between = { name: after.server.name, version: `${after.server.version}-` };
      expect((await all(snapshot.rows({ after: between }))).map(key)).toEqual(
        served.slice(place + 1).map(key),
      );
    }
    expect(await all(snapshot.rows({ after: { name: 'zzz', version: '' } }))).toEqual([]);
    expect(await all(snapshot.rows({ after: { name: 'a', version: '' } }))).toHaveLength(400);
  });

  test('finds each row by its key, and no other', async () => {
    const rows = model(400);
    await publish(rows.values());
    const snapshot = await open();
    for (const { name, version } of rows.values()) {
      expect((await snapshot.row({ name, version }))?.server).toMatchObject({ name, version });
      expect(await snapshot.row({ name, version: `${version}0` })).toBeUndefined();
    }
    for (const absent of ['', 'a', 'io.github.a', 'io.github.a/server-', 'zzz']) {
      expect(await snapshot.row({ name: absent, version: '1' })).toBeUndefined();
    }
  });

  test('returns at least the rows updated since, and skips most others', async () => {
    const rows = model(2_000);
    const first = await publish(rows.values());
    const sinceMs = nowMs;
    const [changed] = rows.values();
    if (changed === undefined) throw new Error('there are rows');
    rows.set(keyOf(changed), { ...changed, text: 'new' });
    await publish(rows.values(), first);
    const found = await all((await open()).rows({ updatedAfterMs: sinceMs }));
    const newer = found.filter((row) => updatedAtMs(row) > sinceMs);
    expect(newer.map(key)).toEqual([keyOf(changed)]);
    expect(found.length).toBeLessThanOrEqual(128);
  });

  test('stays on its snapshot when a new one is published', async () => {
    const rows = model(500);
    const first = await publish(rows.values());
    const reader = createSnapshotReader({ store: store.snapshots });
    const snapshot = await reader.open('alpha');
    const rest = snapshot?.rows()[Symbol.asyncIterator]();
    await rest?.next();
    await publish([], first);
    let count = 1;
    while ((await rest?.next())?.done === false) count += 1;
    expect(count).toBe(500);
    expect((await reader.open('alpha'))?.rowCount).toBe(0);
  });

  test('caches rows up to a number of bytes', async () => {
    await publish(model(1_000).values());
    const readChunks = vi.spyOn(store.snapshots, 'readChunks');
    const reader = createSnapshotReader({ store: store.snapshots });
    const large = await reader.open('alpha');
    if (large === undefined) throw new Error('it is published');
    await all(large.rows());
    const reads = readChunks.mock.calls.length;
    await all(large.rows());
    expect(readChunks).toHaveBeenCalledTimes(reads);
    expect(reader.usage()).toMatchObject({ coldReads: reads, hits: reads });

    const maxBytes = reader.usage().bytes / 4;
    const bounded = createSnapshotReader({ store: store.snapshots, cachedBytes: maxBytes });
    const small = await bounded.open('alpha');
    if (small === undefined) throw new Error('it is published');
    expect(await all(small.rows())).toHaveLength(1_000);
    expect(await all(small.rows())).toHaveLength(1_000);
    expect(readChunks.mock.calls.length).toBeGreaterThan(reads * 2);
    expect(bounded.usage().bytes).toBeLessThanOrEqual(maxBytes);
    expect(bounded.usage().bytes).toBeGreaterThan(0);
  });

  test('concurrent readers share the reads of the manifest and of each chunk', async () => {
    await publish(model(1_000).values());
    const readChunks = vi.spyOn(store.snapshots, 'readChunks');
    const readManifest = vi.spyOn(store.snapshots, 'readManifest');
    const reader = createSnapshotReader({ store: store.snapshots });
    const read = async () => Array.fromAsync((await reader.open('alpha'))?.rows() ?? []);
    const [first, ...others] = await Promise.all(Array.from({ length: 20 }, read));
    expect(first).toHaveLength(1_000);
    for (const other of others) expect(other).toEqual(first);
    expect(readManifest).toHaveBeenCalledTimes(1);
    const digests = readChunks.mock.calls.map(([, [digest]]) => digest);
    expect(new Set(digests).size).toBe(digests.length);
  });

  test('drops chunks that are no longer served, and reads them again for an old snapshot', async () => {
    const rows = model(1_000);
    const first = await publish(rows.values());
    const reader = createSnapshotReader({ store: store.snapshots });
    const before = await reader.open('alpha');
    const [row] = rows.values();
    if (before === undefined || row === undefined) throw new Error('it is published');
    await all(before.rows());
    await publish([...rows.values()].with(0, { ...row, text: 'changed' }), first);
    const readChunks = vi.spyOn(store.snapshots, 'readChunks');
    const now = await reader.open('alpha');
    if (now === undefined) throw new Error('it is published');
    expect(await all(now.rows())).toHaveLength(1_000);
    expect(readChunks).toHaveBeenCalledTimes(1);
    expect(await all(before.rows())).toHaveLength(1_000);
    expect(readChunks).toHaveBeenCalledTimes(2);
  });

  test('opens nothing for a registry that was never published', async () => {
    const reader = createSnapshotReader({ store: store.snapshots });
    expect(await reader.open('beta')).toBeUndefined();
  });

  test('reads the pointer again if the manifest was collected', async () => {
    const first = await publish([{ name: 'a', version: '1', text: 'a' }]);
    const second = await publish([{ name: 'b', version: '1', text: 'b' }], first);
    await store.snapshots.collect(lease, { manifests: [first.manifestBlob.digest], chunks: [] });
    vi.spyOn(store.snapshots, 'readPointer').mockResolvedValueOnce(first.manifestBlob.digest);
    expect((await open()).digest).toBe(second.manifestBlob.digest);
  });

  test('skips an invalid stored row, and keeps the times of the others', async () => {
    const row = (name: string) =>
      JSON.stringify({ server: { name, version: '1', description: 'x' }, _meta: {} });
    const jsons = ['{"server":"none","_meta":{}}', row('a'), row('b')];
    const times = jsons.map((_, index) => ({
      updatedAtMs: START_MS + index,
      firstSeenAtMs: START_MS + index,
    }));
    const content = chunkContent(jsons.map((json, index) => ({ json, isLatest: index === 1 })));
    const chunk = encodeChunk(content, times);
    const listed = { firstKey: '', count: 3, newestMs: START_MS, contentDigest: content.digest };
    const built = await publish([{ name: 'c', version: '1', text: 'c' }]);
    const manifest = encodeManifest({
      ...built.manifest,
      chunks: [{ ...listed, digest: chunk.digest }],
    });
    await store.snapshots.writeChunks(lease, [chunk]);
    await store.snapshots.writeManifest(lease, manifest);
    store.publish('alpha', { manifest: manifest.digest, chunks: [chunk.digest] });
    const rows = await all((await open()).rows());
    expect(rows.map((it) => [it.server.name, updatedAtMs(it) - START_MS])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(rows.map((it) => it._meta[OFFICIAL_META].isLatest)).toEqual([true, false]);
  });

  test('throws if a chunk or the manifest is lost or damaged', async () => {
    const built = await publish(model(200).values());
    const [chunk] = built.newChunks;
    if (chunk === undefined) throw new Error('there are chunks');
    const snapshot = await open();
    const readChunks = vi.spyOn(store.snapshots, 'readChunks');
    readChunks.mockResolvedValue([undefined]);
    await expect(all(snapshot.rows())).rejects.toMatchObject({ code: 'snapshot-incomplete' });
    readChunks.mockResolvedValue([Buffer.from(chunk.bytes).fill(0, 20, 24)]);
    await expect(all(snapshot.rows())).rejects.toMatchObject({ code: 'snapshot-corrupt' });
    const readManifest = vi.spyOn(store.snapshots, 'readManifest');
    readManifest.mockResolvedValue(Buffer.from('no manifest'));
    await expect(open()).rejects.toMatchObject({ code: 'snapshot-corrupt' });
    readManifest.mockResolvedValue(undefined);
    await expect(open()).rejects.toMatchObject({ code: 'snapshot-incomplete' });
  });
});

describe('skills and plugins', () => {
  const skills = ['{"name":"s","text":"\\ud800"}', '7', '{"__proto__":{"x":1}}'];
  const drafts = (items: readonly string[]) => [
    { kind: 'skills' as const, items },
    { kind: 'plugins' as const, items: ['"p"'] },
  ];
  const publishWith = async (items: readonly string[], before?: BuiltSnapshot) => {
    nowMs += 60_000;
    const attachments = drafts(items);
    const previous = before?.manifest;
    const built = await storeRows(store.snapshots, {
      lease,
      nowMs,
      rows: [],
      previous,
      attachments,
    });
    store.publish('alpha', built.publication);
    lease = store.acquire('alpha');
    return built;
  };
  const open = async () => {
    const snapshot = await createSnapshotReader({ store: store.snapshots }).open('alpha');
    if (snapshot === undefined) throw new Error('there is a snapshot');
    return snapshot;
  };

  test('are read unchanged and in their order', async () => {
    await publishWith(skills);
    const snapshot = await open();
    expect(JSON.stringify(await snapshot.attachment('skills'))).toBe(`[${skills.join()}]`);
    expect(await snapshot.attachment('plugins')).toEqual(['p']);
  });

  test('are empty if the source has none', async () => {
    const built = await publish([]);
    expect(built.manifest).not.toHaveProperty('attachments');
    expect(await (await open()).attachment('skills')).toEqual([]);
  });

  test('are stored once while they stay the same', async () => {
    const first = await publishWith(skills);
    const second = await publishWith(skills, first);
    expect(second.newChunks).toEqual([]);
    expect(second.manifestBlob).toEqual(first.manifestBlob);
    const third = await publishWith(skills.toReversed(), second);
    expect(third.newChunks).toHaveLength(1);
    expect(third.manifest.attachments?.[1]).toEqual(second.manifest.attachments?.[1]);
  });

  test('are part of the snapshot, and a lost blob makes it incomplete', async () => {
    const { publication, manifest } = await publishWith(skills);
    const lost = manifest.attachments?.at(-1)?.digest ?? '';
    expect(publication.chunks).toContain(lost);
    await store.snapshots.collect(lease, { manifests: [], chunks: [lost] });
    await expect((await open()).attachment('plugins')).rejects.toMatchObject({
      code: 'snapshot-incomplete',
    });
  });

  test('are corrupt if they are damaged', async () => {
    const { newChunks } = await publishWith(skills);
    const [blob] = newChunks;
    if (blob === undefined) throw new Error('there is a blob');
    const damaged = { ...store.snapshots, readChunks: async () => [blob.bytes.subarray(1)] };
    const snapshot = await createSnapshotReader({ store: damaged }).open('alpha');
    await expect(snapshot?.attachment('skills')).rejects.toMatchObject({
      code: 'snapshot-corrupt',
    });
  });
});
