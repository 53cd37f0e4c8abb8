import { stripVTControlCharacters as uncolored } from 'node:util';
import { expect, test } from 'vitest';
import { at, NOW_MS, runOf, viewOf } from '../testing/views.ts';
import { formatRegistries, formatRegistryDetails } from './registries.ts';
import { formatRuns } from './runs.ts';

const DIGEST = '0f3ac2d51b77aa1290';
const COMPLETE = {
  phase: 'Complete',
  serverCount: 12,
  versionCount: 1_234,
  lastSuccessAt: at(-5_000),
  reason: 'up-to-date-with-policy',
};
const FAILED = {
  phase: 'Failed',
  consecutiveFailures: 2,
  nextDueAt: at(20_000),
  errorCode: 'source-unreachable',
  message:
    'cannot reach https://registry.modelcontextprotocol.io/v0.1/servers: getaddrinfo ENOTFOUND registry.modelcontextprotocol.io',
};

test('a table of registries fits 100 columns, with nothing cut off', () => {
  const views = [
    viewOf({ name: 'examples', status: COMPLETE }),
    viewOf({ name: 'official', status: FAILED }),
    viewOf({ name: 'new' }),
  ];
  expect(uncolored(`\n${formatRegistries(views, { nowMs: NOW_MS, width: 100 })}\n`)).toBe(`
REGISTRY  PHASE     SERVERS  VERSIONS  LAST SUCCESS  NEXT TRY  REASON
examples  Complete       12      1234  5s                      up-to-date-with-policy
official  Failed          0         0  never         in 20s    cannot reach
                                                               https://registry.modelcontextprotocol
                                                               .io/v0.1/servers: getaddrinfo
                                                               ENOTFOUND
                                                               registry.modelcontextprotocol.io
new       Pending         0         0  never
`);
});

test('a table of registries shows interventions of operators and the guard', () => {
  const held = {
    snapshot: DIGEST,
    since: at(-1_000),
    reason: 'shrink',
    rowCountBefore: 100,
    rowCountAfter: 3,
  };
  const views = [
    viewOf({ control: { suspended: '1', note: 'moving\u001b[2J house' } }),
    viewOf({ control: { suspended: '1', note: 'moving', author: 'ada\u001b[1m' } }),
    viewOf({ control: { suspended: '1', author: 'ada' } }),
    viewOf({ config: { suspended: true } }),
    viewOf({ status: COMPLETE, control: { pinned: DIGEST } }),
    viewOf({ status: { ...COMPLETE, held } }),
    viewOf({ status: { ...COMPLETE, lastSuccessAt: at(-86_400_000) } }),
    viewOf({
      status: { ...COMPLETE, lastSuccessAt: at(-86_400_000) },
      config: { staleAfter: '25h' },
    }),
    viewOf({
      status: { ...COMPLETE, lastSuccessAt: at(-86_400_000) },
      config: { schedule: { pattern: '0 6 * * *' } },
    }),
  ];
  const text = uncolored(formatRegistries(views, { nowMs: NOW_MS, width: 200 }));
  expect(text.split('\n').map((line) => line.slice(62).trim())).toEqual([
    'REASON',
    'suspended: moving [2J house',
    'suspended by ada [1m: moving',
    'suspended by ada',
    'suspended in the config',
    'pinned to 0f3ac2d51b77; up-to-date-with-policy',
    'the guard holds 0f3ac2d51b77: 3 rows instead of 100; up-to-date-with-policy',
    'up-to-date-with-policy; stale',
    'up-to-date-with-policy',
    'up-to-date-with-policy',
  ]);
});

test('details omit facts without a value', () => {
  expect(uncolored(formatRegistryDetails(viewOf(), { nowMs: NOW_MS }))).toBe(
    [
      'registry      local',
      'source        file /data.json',
      'schedule      every 1h',
      'phase         Pending; stale',
      'servers       0',
      'versions      0',
      'last success  never',
    ].join('\n'),
  );
  const suspended = viewOf({
    control: { suspended: '1', note: 'moving', author: 'ada', suspendedAt: at(-3_600_000) },
    config: { schedule: { pattern: '0 6 * * 1-5', timezone: 'Europe/Berlin' } },
  });
  const details = formatRegistryDetails(suspended, { nowMs: NOW_MS });
  expect(details).toContain('\nschedule      0 6 * * 1-5 in Europe/Berlin\n');
  expect(details).toContain('\ncontrol       suspended by ada: moving\n');
  expect(details).toContain(`\nsuspended     60m ago, ${at(-3_600_000)}\n`);
  const failed = formatRegistryDetails(viewOf({ status: FAILED }), { nowMs: NOW_MS });
  expect(failed).toContain(`\nmessage       ${FAILED.message}\n`);
  expect(failed).toContain('\nerror         source-unreachable\nfailures      2\n');
});

test('a table of runs fits 100 columns', () => {
  const failed = runOf({
    outcome: 'failed',
    trigger: 'retry',
    error: { code: 'source-timeout', message: 'no answer' },
  });
  const { snapshot: _s, rowCount: _r, diff: _d, ...withoutContent } = failed;
  const changed = runOf({
    quarantined: { count: 1, samples: [] },
    diff: { added: 3, updated: 1, removed: 2, samples: { added: [], updated: [], removed: [] } },
  });
  expect(
    `\n${formatRuns([runOf(), changed, withoutContent], { nowMs: NOW_MS, width: 100 })}\n`,
  ).toBe(`
AGE  TRIGGER   OUTCOME    ROWS  CHANGES   TOOK  SNAPSHOT      REASON
90s  schedule  published    12  +12       85ms  0f3ac2d51b77  source-data-changed
90s  schedule  published    12  +3 ~1 -2  85ms  0f3ac2d51b77  1 row skipped; source-data-changed
90s  retry     failed                     85ms                no answer
`);
});
