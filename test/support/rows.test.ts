import { OFFICIAL_META } from '@syncline/rows';
import { describe, expect, test } from 'vitest';
import { compareBytes } from './byte-order.ts';
import { generateRows } from './rows/generate.ts';
import {
  loadOfficialBase,
  loadOfficialChanges,
  loadToolhiveExample,
  NO_REAL_DATA,
} from './rows/real-data.ts';
import { type OfficialRow, rowKey } from './rows/row.ts';
import { syntheticRows } from './rows/synthetic.ts';

describe('generated rows', () => {
  const rows = generateRows({ count: 2_500, seed: 7 });

  test('have the requested count, unique keys, and the official order', () => {
    expect(new Set(rows.map(rowKey)).size).toBe(2_500);
    const sorted = rows.toSorted(
      (left, right) =>
        compareBytes(left.server.name, right.server.name) ||
        compareBytes(left.server.version, right.server.version),
    );
    expect(rows.map(rowKey)).toEqual(sorted.map(rowKey));
  });

  test('have one latest version per name', () => {
    for (const [name, versions] of Map.groupBy(rows, ({ server }) => server.name)) {
      const latest = versions.filter((row) => row._meta[OFFICIAL_META].isLatest);
      expect(latest, name).toHaveLength(1);
    }
  });

  test('are the same for the same seed, and differ for another seed', () => {
    expect(generateRows({ count: 50, seed: 7 })).toEqual(generateRows({ count: 50, seed: 7 }));
    const others = new Set(generateRows({ count: 50, seed: 8 }).map(rowKey));
    expect(generateRows({ count: 50, seed: 7 }).some((row) => others.has(rowKey(row)))).toBe(false);
  });

  test('have several namespaces even in a small set', () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const [few, some] = [generateRows({ count: 40, seed }), generateRows({ count: 300, seed })];
      expect(topDomains(few).size, `seed ${seed}`).toBeGreaterThanOrEqual(3);
      expect(topDomains(some).size, `seed ${seed}`).toBeGreaterThanOrEqual(6);
    }
  });
});

const SYNTHETIC = syntheticRows();

test('synthetic rows have unique keys and one latest version per name', () => {
  expect(new Set(SYNTHETIC.map(rowKey)).size).toBe(SYNTHETIC.length);
  const latest = SYNTHETIC.filter((row) => row._meta[OFFICIAL_META].isLatest);
  expect(latest).toHaveLength(new Set(SYNTHETIC.map(({ server }) => server.name)).size);
});

const base = loadOfficialBase();

describe.skipIf(base === undefined)(`real data (else: ${NO_REAL_DATA})`, () => {
  const changes = loadOfficialChanges() ?? [];
  const real = [...(base ?? []), ...changes.flatMap(({ upserts }) => upserts)];

  test('has all rows of the official registry and of ToolHive', () => {
    expect(base).toHaveLength(1_019);
    expect(changes.at(-1)?.total).toBeGreaterThan(1_019);
    expect(loadToolhiveExample()?.data.servers).toHaveLength(12);
  });

  test('has no field in more than 1 % of its rows that synthetic rows lack', () => {
    const counts = new Map<string, number>();
    for (const place of real.flatMap(({ server }) => [...placesIn(server)])) {
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    const common = [...counts.keys()].filter(
      (place) => (counts.get(place) ?? 0) > real.length / 100,
    );
    expect(common.length).toBeGreaterThan(50);
    const made = new Set(SYNTHETIC.flatMap(({ server }) => [...placesIn(server)]));
    expect(common.filter((place) => !made.has(place))).toEqual([]);
  });

  test.each<[what: string, measure: (row: OfficialRow) => number]>([
    ['characters of a row', (row) => JSON.stringify(row).length],
    ['characters of a description', ({ server }) => server.description.length],
    ['characters of a name', ({ server }) => server.name.length],
  ])('has the same distribution as synthetic rows: %s', (_what, measure) => {
    const [ofReal, ofSynthetic] = [real, SYNTHETIC].map((rows) => rows.map(measure).sort(byNumber));
    for (const share of [0.05, 0.25, 0.5, 0.75, 0.9, 0.99]) {
      const ratio = quantile(ofSynthetic ?? [], share) / quantile(ofReal ?? [], share);
      expect(ratio, `quantile ${share}`).toBeGreaterThan(0.65);
      expect(ratio, `quantile ${share}`).toBeLessThan(1.5);
    }
  });

  test.each<[what: string, isSo: (row: OfficialRow) => boolean]>([
    ['are in GitHub’s namespace', ({ server }) => server.name.startsWith('io.github.')],
    ['have packages', ({ server }) => 'packages' in server],
    ['have remotes', ({ server }) => 'remotes' in server],
    ['are the latest of their name', (row) => row._meta[OFFICIAL_META].isLatest],
    ['have a non-ASCII description', ({ server }) => /[^ -~]/.test(server.description)],
  ])('has about the same share as synthetic rows of rows that %s', (_what, isSo) => {
    const [ofReal, ofSynthetic] = [real, SYNTHETIC].map(
      (rows) => rows.filter(isSo).length / rows.length,
    );
    expect(Math.abs((ofReal ?? 0) - (ofSynthetic ?? 0))).toBeLessThan(0.15);
  });

  test('has about as many versions per name as synthetic rows', () => {
    const [ofReal, ofSynthetic] = [base ?? [], SYNTHETIC].map((rows) => {
      const names = Map.groupBy(rows, ({ server }) => server.name);
      return [...names.values()].map(({ length }) => length).sort(byNumber);
    });
    expect(ofSynthetic?.at(-1)).toBeGreaterThan(10);
    for (const share of [0.5, 0.8, 0.95]) {
      const apart = quantile(ofSynthetic ?? [], share) - quantile(ofReal ?? [], share);
      expect(Math.abs(apart), `quantile ${share}`).toBeLessThanOrEqual(1);
    }
  });
});

function topDomains(rows: readonly OfficialRow[]): Set<string> {
  return new Set(rows.map(({ server }) => server.name.split('.')[0] ?? ''));
}

/**
 * Returns the paths of members: `packages[].transport.type`. Names of namespaces are left out, because anyone may
 * choose them.
 */
function placesIn(value: unknown, place = ''): Set<string> {
  if (Array.isArray(value)) {
    return new Set(value.flatMap((item) => [...placesIn(item, `${place}[]`)]));
  }
  if (typeof value !== 'object' || value === null) return new Set();
  return new Set(
    Object.entries(value)
      .filter(([key]) => !key.includes('/'))
      .flatMap(([key, member]) => [`${place}.${key}`, ...placesIn(member, `${place}.${key}`)]),
  );
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

function byNumber(left: number, right: number): number {
  return left - right;
}
