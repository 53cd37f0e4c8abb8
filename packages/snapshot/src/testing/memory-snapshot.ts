import { OFFICIAL_META, type OfficialMeta, type ServedRow, SYNCLINE_META } from '@syncline/rows';
import type { OpenSnapshot } from '../reader.ts';

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
  return {
    digest: 'test',
    rowCount: sorted.length,
    ageMs: undefined,
    async *rows({ after } = {}) {
      for (const row of sorted) {
        if (after === undefined || compareKeys(row.server, after) > 0) yield row;
      }
    },
    attachment: async () => [],
    versions: async (name) => sorted.filter(({ server }) => server.name === name),
  };
}

type Key = Pick<ServedRow['server'], 'name' | 'version'>;

function compareKeys(one: Key, other: Key): number {
  return (
    Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)) ||
    Buffer.compare(Buffer.from(one.version), Buffer.from(other.version))
  );
}
