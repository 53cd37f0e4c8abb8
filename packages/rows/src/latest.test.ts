import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { pickLatest, type VersionCandidate } from './latest.ts';
import { OFFICIAL_META, type ServerStatus } from './row.ts';

const dataDir =
  process.env['SYNCLINE_TEST_DATA'] ?? path.join(import.meta.dirname, '../../../../shared/data');
const history = path.join(dataDir, 'official-history/base.json');

function candidate(text: string): VersionCandidate {
  const [version = '', publishedDay = '01', status = 'active'] = text.split('|');
  return {
    version,
    publishedAt: publishedDay === '?' ? undefined : `2026-01-${publishedDay}T00:00:00Z`,
    // The cases below use only valid statuses.
    status: status as ServerStatus,
  };
}

describe('pickLatest', () => {
  test.each<[why: string, versions: string[], latest: string]>([
    [
      'compares semantic versions by precedence, not as text',
      ['1.9.0', '1.10.0', '1.2.0'],
      '1.10.0',
    ],
    ['compares semantic versions regardless of their time', ['2.0.0|01', '1.0.0|09'], '2.0.0'],
    ['ranks a release above its candidates', ['1.0.0-rc.1', '1.0.0', '1.0.0-rc.2'], '1.0.0'],
    ['compares release candidates by number', ['1.0.0-rc.2', '1.0.0-rc.10'], '1.0.0-rc.10'],
    ['ignores a leading v', ['v1.2.0', '1.1.0'], 'v1.2.0'],
    ['ranks semantic versions above all others', ['0.0.1|01', '2026.11|09', 'banana|09'], '0.0.1'],
    ['compares other versions by time', ['zebra|02', 'apple|03', 'mango|01'], 'apple|03'],
    ['ranks other versions without a time as the oldest', ['zebra|?', 'apple|01'], 'apple'],
    ['treats two or four parts as not semantic', ['1.2|01', '1.2.3.4|02'], '1.2.3.4|02'],
    ['treats leading zeros as not semantic', ['2025.01.09|09', '0.1.0|01'], '0.1.0'],
    ['ranks deleted versions last', ['3.0.0|03|deleted', '1.0.0|01', 'x|02'], '1.0.0'],
    [
      'ranks deleted versions below versions that are not semantic',
      ['3.0.0|03|deleted', 'banana'],
      'banana',
    ],
    [
      'does not treat deprecated versions as deleted',
      ['2.0.0|01|deprecated', '1.0.0'],
      '2.0.0|01|deprecated',
    ],
    [
      'picks the highest version if all are deleted',
      ['1.0.0|09|deleted', '2.0.0|01|deleted'],
      '2.0.0|01|deleted',
    ],
    ['ignores build metadata', ['1.0.0+b|02', '1.0.0+a|01'], '1.0.0+a|01'],
  ])('%s', (_why, versions, latest) => {
    const withDefaults = versions.map(candidate);
    expect(withDefaults[pickLatest(withDefaults)]).toEqual(candidate(latest));
    const reversed = withDefaults.toReversed();
    expect(reversed[pickLatest(reversed)]).toEqual(candidate(latest));
  });

  test('returns -1 for an empty list', () => {
    expect(pickLatest([])).toBe(-1);
  });

  test.skipIf(!existsSync(history))('agrees with the official registry on real servers', () => {
    const { servers } = JSON.parse(readFileSync(history, 'utf8')) as {
      // As the data set's description says.
      servers: {
        server: { name: string; version: string };
        _meta: {
          [OFFICIAL_META]: { status: ServerStatus; publishedAt: string; isLatest: boolean };
        };
      }[];
    };
    const byName = Map.groupBy(servers, ({ server }) => server.name);
    const disagreements: string[] = [];
    for (const [name, rows] of byName) {
      const picked =
        rows[
          pickLatest(
            rows.map((row) => ({
              version: row.server.version,
              status: row._meta[OFFICIAL_META].status,
              publishedAt: row._meta[OFFICIAL_META].publishedAt,
            })),
          )
        ];
      if (picked?._meta[OFFICIAL_META].isLatest !== true) disagreements.push(name);
    }
    expect(byName.size).toBeGreaterThan(500);
    expect(disagreements).toEqual([]);
  });
});
