import type { BodyOrigin, ReadRow } from '@syncline/rows';
import { describe, expect, test } from 'vitest';
import { OutOfOrder } from './messages.ts';
import { RowCollector, type RowCollectorOptions } from './row-collector.ts';

function createCollector(options: Partial<RowCollectorOptions> = {}) {
  const handedOn: ReadRow[][] = [];
  const collector = new RowCollector({
    maxRows: 10_000,
    order: 'buffered',
    onRows: (rows) => void handedOn.push([...rows]),
    ...options,
  });
  return {
    handedOn,
    add(rows: readonly object[], origin: BodyOrigin = {}) {
      const body = Buffer.from(JSON.stringify({ servers: rows }));
      const { summary, take } = collector.parse(body, origin);
      take();
      return summary;
    },
    finish: () => collector.finish(),
    names: () => handedOn.flat().map(({ name, version }) => `${name}@${version}`),
  };
}

function row(name: string, changes: object = {}): object {
  return { name, version: '1', description: 'x', ...changes };
}

function rows(count: number): object[] {
  return Array.from({ length: count }, (_, index) => row(`s${String(index).padStart(5, '0')}`));
}

describe.each(['buffered', 'arrival'] as const)('RowCollector, %s', (order) => {
  test('sorts the rows, and counts read and quarantined ones', () => {
    const collector = createCollector({ order });
    expect(collector.add([row('b'), row('d'), row('a')])).toEqual({
      format: 'registry-list',
      rowCount: 3,
      nextCursor: undefined,
    });
    collector.add([row('c'), { name: 'bad' }]);
    expect(collector.finish()).toMatchObject({
      readCount: 5,
      quarantined: { count: 1, samples: [{ row: 'bad@?' }] },
    });
    expect(collector.names()).toEqual(['a@1', 'b@1', 'c@1', 'd@1']);
  });

  test('labels quarantined rows with the name of their body', () => {
    const collector = createCollector({ order });
    collector.add([row('a')]);
    collector.add([{}, row('a', { description: 'other' })], { name: 'servers/x.json' });
    expect(collector.finish().quarantined.samples.map((it) => it.row)).toEqual([
      'servers/x.json: row 1',
      'servers/x.json: a@1',
    ]);
  });

  test('keeps a repeated row once, and does not quarantine it', () => {
    const collector = createCollector({ order });
    collector.add([row('a'), row('b')]);
    collector.add([row('b'), row('c')]);
    expect(collector.finish()).toMatchObject({ readCount: 4, quarantined: { count: 0 } });
    expect(collector.names()).toEqual(['a@1', 'b@1', 'c@1']);
  });

  test('keeps the first of two conflicting rows, and quarantines the second', () => {
    const collector = createCollector({ order });
    collector.add([row('a'), row('a', { description: 'other' })]);
    expect(collector.finish().quarantined).toEqual({
      count: 1,
      samples: [{ row: 'a@1', reason: expect.stringContaining('was kept') }],
    });
    expect(collector.handedOn.flat()[0]?.json).toContain('"x"');
  });

  test('lists the first quarantined rows, and counts all of them', () => {
    const collector = createCollector({ order });
    collector.add(Array.from({ length: 100 }, () => ({})));
    const { quarantined } = collector.finish();
    expect(quarantined.count).toBe(100);
    expect(quarantined.samples).toHaveLength(20);
  });

  test('rejects a source with more rows than the limit', () => {
    const collector = createCollector({ order, maxRows: 3 });
    expect(() => collector.add(rows(4))).toThrow(
      expect.objectContaining({ code: 'source-too-large' }),
    );
  });
});

describe('RowCollector, arrival', () => {
  test('hands rows on while they arrive, and buffers only a few', () => {
    const collector = createCollector({ order: 'arrival' });
    const all = rows(5_000);
    for (let start = 0; start < all.length; start += 100) {
      collector.add(all.slice(start, start + 100));
      const given = collector.handedOn.flat().length;
      expect(start + 100 - given).toBeLessThanOrEqual(600);
    }
    collector.finish();
    expect(collector.handedOn.length).toBeGreaterThan(5);
    expect(collector.names()).toEqual(all.map((it) => `${(it as { name: string }).name}@1`));
  });

  test('never splits the versions of a name', () => {
    const collector = createCollector({ order: 'arrival' });
    const versions = Array.from({ length: 700 }, (_, index) =>
      row('m', { version: `1.${String(index).padStart(3, '0')}` }),
    );
    collector.add(rows(10).map((it) => ({ ...it, name: `a${(it as { name: string }).name}` })));
    collector.add(versions.slice(0, 600));
    collector.add(versions.slice(600));
    collector.add([row('z')]);
    collector.finish();
    const withM = collector.handedOn.filter((batch) => batch.some(({ name }) => name === 'm'));
    expect(withM).toHaveLength(1);
    expect(collector.handedOn.flat()).toHaveLength(711);
  });

  test('sorts rows that are out of order within the buffer', () => {
    const collector = createCollector({ order: 'arrival' });
    collector.add(rows(400).toReversed());
    collector.add(rows(1_000).slice(400));
    collector.finish();
    expect(collector.names()).toEqual(collector.names().toSorted());
    expect(collector.handedOn.flat()).toHaveLength(1_000);
  });

  test('throws OutOfOrder for rows that come too late to be sorted', () => {
    const collector = createCollector({ order: 'arrival' });
    collector.add(rows(1_000).slice(1));
    expect(() => collector.add(rows(1))).toThrow(OutOfOrder);
  });
});
