import { OFFICIAL_META, type OfficialMeta, type ServedRow, SYNCLINE_META } from '@syncline/rows';
import type { OpenSnapshot, RowsOptions } from '../open-snapshot.ts';

/** Few, so that tests with few rows have several batches. */
const BATCH_ROWS = 3;

/** Returns the row of a plain active server, with changes applied. */
export function testRow(
  key: `${string}@${string}`,
  { official, server }: { official?: Partial<OfficialMeta>; server?: object } = {},
): ServedRow {
  const at = key.lastIndexOf('@');
  return {
    server: {
      name: key.slice(0, at),
      description: 'does things',
      version: key.slice(at + 1),
      ...server,
    },
    _meta: {
      [OFFICIAL_META]: {
        status: 'active',
        publishedAt: '2026-01-01T00:00:00Z',
        updatedAt: '2026-01-01T00:00:00Z',
        isLatest: true,
        ...official,
      },
      [SYNCLINE_META]: { source: 'test' },
    },
  };
}

/** Returns a snapshot in memory with the sort order of a real one. */
export function testSnapshot(rows: readonly ServedRow[]): OpenSnapshot {
  const sorted = rows.toSorted((one, other) => compareKeys(one.server, other.server));
  const from: (options?: RowsOptions) => ServedRow[] = ({ after } = {}) =>
    sorted.filter(({ server }) => after === undefined || compareKeys(server, after) > 0);
  return {
    digest: 'test',
    rowCount: sorted.length,
    ageMs: undefined,
    async *rows(options) {
      yield* from(options);
    },
    async *batches(options) {
      const all = from(options);
      for (let start = 0; start < all.length; start += BATCH_ROWS) {
        yield all.slice(start, start + BATCH_ROWS);
      }
    },
    row: async (key) => sorted.find(({ server }) => compareKeys(server, key) === 0),
    attachment: async () => [],
  };
}

type Key = Pick<ServedRow['server'], 'name' | 'version'>;

function compareKeys(one: Key, other: Key): number {
  return (
    Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)) ||
    Buffer.compare(Buffer.from(one.version), Buffer.from(other.version))
  );
}
