import type { QueueHealth } from '@syncline/redis';
import { describe, expect, test } from 'vitest';
import { formatFindings } from '../format/doctor-report.ts';
import { checkConfigFile, checkInForce } from './config.ts';
import { countLevels, type Finding, problem, runChecks, toFinding } from './finding.ts';
import { checkGit, checkSsh } from './machine.ts';
import { PROCESS_CHECKS, type ProcessFacts } from './processes.ts';
import { REDIS_CHECKS, type RedisFacts } from './redis.ts';

const NOW_MS = 1_000_000_000;

const GOOD_SERVER: RedisFacts = {
  place: 'redis://x:1',
  roundTripMs: 1,
  aheadMs: 0,
  version: '7.0.15',
  role: 'master',
  isLoading: false,
  isCluster: false,
  isAppendOnly: true,
  appendFsync: 'everysec',
  isAppendOnlyFileGood: true,
  usedMemoryBytes: 11_000_000,
  limitedMemoryBytes: 10_000_000,
  storedBytes: [
    ['large', 600],
    ['small', 150],
  ],
  storedBytesLimit: 1_000,
  maxMemoryBytes: 0,
  maxMemoryPolicy: 'noeviction',
  hz: 100,
};

/** Returns `redis hz: warning` for each finding that is not ok. */
function notOk(findings: readonly Finding[]): string[] {
  for (const { level, why, advice } of findings) {
    expect({ why: why !== undefined, advice: advice !== undefined }).toEqual({
      why: level !== 'ok',
      advice: level !== 'ok',
    });
  }
  return findings
    .filter(({ level }) => level !== 'ok')
    .map(({ check, level }) => `${check}: ${level}`);
}

describe('a Redis that', () => {
  test.each<[string, Partial<RedisFacts>, string[]]>([
    ['is healthy', {}, []],
    ['is old', { version: '6.0.16' }, ['redis version: problem']],
    ['has the minimum version', { version: '6.2.0' }, []],
    ['reports no version', { version: 'unknown' }, ['redis version: problem']],
    ['is a replica', { role: 'slave' }, ['redis role: problem']],
    ['is loading', { isLoading: true }, ['redis role: problem']],
    ['is a cluster', { isCluster: true }, ['redis role: problem']],
    ['has no persistence', { isAppendOnly: false }, ['redis persistence: warning']],
    ['leaves flushing to the system', { appendFsync: 'no' }, ['redis persistence: warning']],
    ['hides its settings', { appendFsync: undefined, hz: undefined }, []],
    ['has a full disk', { isAppendOnlyFileGood: false }, ['redis persistence: problem']],
    ['evicts keys', { maxMemoryPolicy: 'allkeys-lru' }, ['redis eviction: problem']],
    ['has enough memory', { maxMemoryBytes: 12_500_000 }, []],
    ['has little memory left', { maxMemoryBytes: 12_000_000 }, ['redis memory: warning']],
    ['has almost no memory left', { maxMemoryBytes: 11_000_000 }, ['redis memory: problem']],
    ['is full', { maxMemoryBytes: 9_000_000 }, ['redis memory: problem']],
    ['has many snapshots', { storedBytesLimit: 999 }, ['stored bytes: warning']],
    ['has too many snapshots', { storedBytesLimit: 750 }, ['stored bytes: problem']],
    ['has a low hz', { hz: 10 }, ['redis hz: warning']],
    ['answers slowly', { roundTripMs: 50.1 }, ['redis: warning']],
    ['answers too slowly', { roundTripMs: 251 }, ['redis: problem']],
    ['has almost the same time', { aheadMs: 999 }, []],
    ['has a different time', { aheadMs: -1_001 }, ['clock: warning']],
    ['has a very different time', { aheadMs: 10_001 }, ['clock: problem']],
  ])('%s', (_, facts, expected) => {
    expect(notOk(runChecks(REDIS_CHECKS, { ...GOOD_SERVER, ...facts }))).toEqual(expected);
  });
});

test('the config in force is compared with the local file', () => {
  const digest = 'a'.repeat(64);
  const check = (...args: Parameters<typeof checkInForce>) =>
    notOk([toFinding('config in force', checkInForce(...args))]);
  expect(check({ digest, registries: 2 }, digest)).toEqual([]);
  expect(check({ digest, registries: 2 }, undefined)).toEqual([]);
  expect(check({ digest, registries: 2 }, 'b'.repeat(64))).toEqual(['config in force: warning']);
  expect(check('none', digest)).toEqual(['config in force: problem']);
  expect(check('unreadable', digest)).toEqual(['config in force: problem']);
});

test('a config file is checked if there is one', async () => {
  const check = async (file: string) => notOk([(await checkConfigFile(file)).finding]);
  expect(await check('examples/quickstart.yaml')).toEqual([]);
  expect(await check('examples/none.yaml')).toEqual([]);
  expect(await check('README.md')).toEqual(['config file: problem']);
});

describe('processes that', () => {
  const queue: QueueHealth = {
    workers: 1,
    sweeper: undefined,
    scheduler: 's',
    schedules: new Map([
      ['a', NOW_MS + 1],
      ['b', NOW_MS - 60_000],
    ]),
    waiting: 0,
    oldestDueAtMs: undefined,
  };
  const examine = (
    changes: Partial<QueueHealth>,
    failing: readonly string[] = [],
    waits: ProcessFacts['waits'] = new Map(),
  ) =>
    notOk(
      runChecks(PROCESS_CHECKS, {
        ...queue,
        ...changes,
        nowMs: NOW_MS,
        registries: ['a', 'b'],
        failing,
        waits,
      }),
    );

  test.each<[string, Partial<QueueHealth>, string[]]>([
    ['are healthy', {}, []],
    ['have no worker', { workers: 0 }, ['workers: problem']],
    ['have a worker that is known only by its sweep', { workers: undefined, sweeper: 'w' }, []],
    ['do not show a worker', { workers: undefined }, ['workers: problem']],
    ['have no scheduler', { scheduler: undefined }, ['scheduler: warning']],
    ['lack a schedule', { schedules: new Map([['a', NOW_MS]]) }, ['schedules: problem']],
    [
      'are late',
      { schedules: new Map([...queue.schedules, ['a', NOW_MS - 60_001]]) },
      ['schedules: problem'],
    ],
    ['do not keep up', { waiting: 9, oldestDueAtMs: NOW_MS - 60_001 }, ['queue: warning']],
  ])('%s', (_, changes, expected) => {
    expect(examine(changes)).toEqual(expected);
  });

  test('have failing registries', () => {
    expect(examine({}, ['a'])).toEqual(['registries: warning']);
  });

  test('have runs that wait for memory', () => {
    const waits = {
      memory: { count: 2, longestMs: 12_000 },
      build: { count: 0, longestMs: 0 },
      holders: [{ name: 'greedy', bytes: 100_000_000 }],
    };
    expect(examine({}, [], new Map([['w1', waits]]))).toEqual(['memory: warning']);
  });
});

test.each([
  ['no git', 'problem', checkGit(undefined)],
  ['an old git', 'problem', checkGit('git version 2.30.2')],
  ['a recent git', 'ok', checkGit('git version 2.39.5')],
  ['no ssh', 'problem', checkSsh(undefined)],
  ['an ssh', 'ok', checkSsh('OpenSSH_9.2p1')],
])('%s is %s', (_, level, result) => {
  expect(toFinding('program', result).level).toBe(level);
});

test('a report says what was found, why it matters and what to do', () => {
  const findings = [
    toFinding('source of a', 'file /a.json answered this machine in 3ms'),
    toFinding(
      'source of team',
      problem({
        found: 'https://x.example\u001b[2J answered 403 (source-http-status), from this machine',
        why: 'Syncline cannot sync the registry, but continues to serve the last good copy',
        advice:
          'For status 401 or 403, check the credential. For 404, check the URL. For another status, ask the operator of the upstream.',
      }),
    ),
  ];
  expect(countLevels(findings)).toEqual({ ok: 1, warning: 0, problem: 1 });
  expect(`\n${formatFindings(findings, { width: 80 })}\n`).toBe(`
ok       source of a     file /a.json answered this machine in 3ms
problem  source of team  https://x.example [2J answered 403
                         (source-http-status), from this machine
                         why: Syncline cannot sync the registry, but continues
                              to serve the last good copy
                         do:  For status 401 or 403, check the credential. For
                              404, check the URL. For another status, ask the
                              operator of the upstream.

1 problem, 0 warnings, 1 ok
`);
});
