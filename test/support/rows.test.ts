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
import { rowKey } from './rows/row.ts';
import { syntheticRows } from './rows/synthetic.ts';

describe('generated rows', () => {
  const rows = generateRows({ count: 2_500, seed: 7 });

  test('are as many as asked, each with a key of its own, in the official order', () => {
    expect(new Set(rows.map(rowKey)).size).toBe(2_500);
    const sorted = rows.toSorted(
      (left, right) =>
        compareBytes(left.server.name, right.server.name) ||
        compareBytes(left.server.version, right.server.version),
    );
    expect(rows.map(rowKey)).toEqual(sorted.map(rowKey));
  });

  test('have one latest version a name', () => {
    for (const [name, versions] of Map.groupBy(rows, ({ server }) => server.name)) {
      const latest = versions.filter((row) => row._meta[OFFICIAL_META].isLatest);
      expect(latest, name).toHaveLength(1);
    }
  });

  test('are the same for the same seed, and others for another', () => {
    expect(generateRows({ count: 50, seed: 7 })).toEqual(generateRows({ count: 50, seed: 7 }));
    const others = new Set(generateRows({ count: 50, seed: 8 }).map(rowKey));
    expect(generateRows({ count: 50, seed: 7 }).some((row) => others.has(rowKey(row)))).toBe(false);
  });
});

test('synthetic rows have keys of their own and one latest version a name', () => {
  const rows = syntheticRows();
  expect(new Set(rows.map(rowKey)).size).toBe(rows.length);
  const latest = rows.filter((row) => row._meta[OFFICIAL_META].isLatest);
  expect(latest).toHaveLength(new Set(rows.map(({ server }) => server.name)).size);
});

const base = loadOfficialBase();

describe.skipIf(base === undefined)(`real data (else: ${NO_REAL_DATA})`, () => {
  test('is there whole', () => {
    expect(base).toHaveLength(1_019);
    expect(loadOfficialChanges()?.at(-1)?.total).toBeGreaterThan(1_019);
    expect(loadToolhiveExample()?.data.servers).toHaveLength(12);
  });
});
