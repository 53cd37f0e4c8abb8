import type { QueueHealth, ServerInfo } from '@syncline/redis';
import { describe, expect, test } from 'vitest';
import { formatFindings } from '../format/doctor-report.ts';
import { checkConfig } from './config-checks.ts';
import { countLevels, type Finding } from './finding.ts';
import { type CredentialFacts, checkMachine, type MachineFacts } from './machine.ts';
import { checkProcesses } from './process-checks.ts';
import { checkClock, checkRedis } from './redis-checks.ts';
import { checkSources } from './sources.ts';

const NOW_MS = 1_000_000_000;

const GOOD_SERVER: ServerInfo = {
  version: '7.0.15',
  role: 'master',
  isLoading: false,
  isCluster: false,
  isAppendOnly: true,
  appendFsync: 'everysec',
  isAppendOnlyFileGood: true,
  usedMemoryBytes: 10_000_000,
  maxMemoryBytes: 0,
  maxMemoryPolicy: 'noeviction',
  hz: 100,
};

/** `redis hz: warning` of each that is not well. */
function troubles(findings: readonly Finding[]): string[] {
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

describe('redis', () => {
  const examine = (info: Partial<ServerInfo>, roundTripMs = 1) =>
    troubles(checkRedis({ place: 'redis://x:1', info: { ...GOOD_SERVER, ...info }, roundTripMs }));

  test.each<[string, Partial<ServerInfo>, string[]]>([
    ['is well', {}, []],
    ['is old', { version: '6.0.16' }, ['redis version: problem']],
    ['is just new enough', { version: '6.2.0' }, []],
    ['names no version', { version: 'unknown' }, ['redis version: problem']],
    ['is a replica', { role: 'slave' }, ['redis role: problem']],
    ['is loading', { isLoading: true }, ['redis role: problem']],
    ['is a cluster', { isCluster: true }, ['redis role: problem']],
    ['keeps nothing', { isAppendOnly: false }, ['redis persistence: warning']],
    ['lets the system flush', { appendFsync: 'no' }, ['redis persistence: warning']],
    ['does not tell', { appendFsync: undefined, hz: undefined }, []],
    ['has a full disk', { isAppendOnlyFileGood: false }, ['redis persistence: problem']],
    ['evicts', { maxMemoryPolicy: 'allkeys-lru' }, ['redis eviction: problem']],
    ['has room', { maxMemoryBytes: 12_500_000 }, []],
    ['has little room', { maxMemoryBytes: 12_000_000 }, ['redis memory: warning']],
    ['has no room', { maxMemoryBytes: 10_000_001 }, ['redis memory: problem']],
    ['looks seldom', { hz: 10 }, ['redis hz: warning']],
  ])('%s', (_, info, expected) => {
    expect(examine(info)).toEqual(expected);
  });

  test('answers slowly', () => {
    expect(examine({}, 50.1)).toEqual(['redis: warning']);
    expect(examine({}, 251)).toEqual(['redis: problem']);
  });
});

test.each([
  [999, 'ok'],
  [-1_001, 'warning'],
  [10_001, 'problem'],
])('a clock that is off by %d ms is %s', (aheadMs, level) => {
  expect(checkClock(aheadMs).level).toBe(level);
});

test('the config here and the one in force are held against each other', () => {
  const good = { state: 'good', path: 'a.yaml', digest: 'a'.repeat(64) } as const;
  const same = { state: 'good', digest: good.digest, registries: 2 } as const;
  const other = { ...same, digest: 'b'.repeat(64) };
  const missing = { state: 'missing', path: 'a.yaml' } as const;
  const bad = { state: 'bad', path: 'a.yaml', problems: ['a.yaml:1:1 x'] } as const;
  expect(troubles(checkConfig(good, same))).toEqual([]);
  expect(troubles(checkConfig(missing, other))).toEqual([]);
  expect(troubles(checkConfig(good, other))).toEqual(['config in force: warning']);
  expect(troubles(checkConfig(bad, undefined))).toEqual(['config file: problem']);
  expect(troubles(checkConfig(good, { state: 'none' }))).toEqual(['config in force: problem']);
  expect(troubles(checkConfig(good, { state: 'unreadable' }))).toEqual([
    'config in force: problem',
  ]);
});

describe('processes', () => {
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
  const examine = (changes: Partial<QueueHealth>, failing: readonly string[] = []) =>
    troubles(
      checkProcesses({
        nowMs: NOW_MS,
        queue: { ...queue, ...changes },
        registries: ['a', 'b'],
        failing,
      }),
    );

  test.each<[string, Partial<QueueHealth>, string[]]>([
    ['are well', {}, []],
    ['have no worker', { workers: 0 }, ['workers: problem']],
    ['have a worker that only its sweep shows', { workers: undefined, sweeper: 'w' }, []],
    ['show no worker', { workers: undefined }, ['workers: problem']],
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

  test('tell of registries that fail', () => {
    expect(examine({}, ['a'])).toEqual(['registries: warning']);
  });
});

describe('machine', () => {
  const absent = { isNeeded: false, version: undefined };
  const facts: MachineFacts = {
    dataDir: '.syncline',
    dataDirTrouble: undefined,
    git: absent,
    ssh: absent,
    credentials: [],
  };
  const credential = (changes: Partial<CredentialFacts>): MachineFacts => ({
    ...facts,
    credentials: [
      {
        path: '/run/token',
        registry: 'team',
        isSecret: true,
        state: { kind: 'readable', mode: 0o100640 },
        ...changes,
      },
    ],
  });

  test.each<[string, MachineFacts, string[]]>([
    ['is well', facts, []],
    ['cannot write', { ...facts, dataDirTrouble: 'no' }, ['data directory: problem']],
    ['lacks git', { ...facts, git: { ...absent, isNeeded: true } }, ['git: problem']],
    [
      'has an old git',
      { ...facts, git: { isNeeded: true, version: 'git version 2.30.2' } },
      ['git: warning'],
    ],
    ['has git', { ...facts, git: { isNeeded: true, version: 'git version 2.39.5' } }, []],
    ['lacks ssh', { ...facts, ssh: { ...absent, isNeeded: true } }, ['ssh: problem']],
    ['keeps its secrets', credential({}), []],
    [
      'shows its secrets',
      credential({ state: { kind: 'readable', mode: 0o100644 } }),
      ['credential of team: warning'],
    ],
    [
      'shows what is no secret',
      credential({ isSecret: false, state: { kind: 'readable', mode: 0o100644 } }),
      [],
    ],
    [
      'lacks a secret',
      credential({ state: { kind: 'unreadable', reason: 'there is no such file' } }),
      ['credential of team: problem'],
    ],
  ])('%s', (_, seen, expected) => {
    expect(troubles(checkMachine(seen))).toEqual(expected);
  });
});

test('a report says what was found, why it matters and what to do', () => {
  const findings = checkSources([
    { registry: 'a', kind: 'file', location: '/a.json', tookMs: 3, trouble: undefined },
    {
      registry: 'team',
      kind: 'api',
      location: 'https://x.example',
      tookMs: 3,
      trouble: { code: 'source-http-status', message: 'https://x.example\u001b[2J answered 403' },
    },
  ]);
  expect(countLevels(findings)).toEqual({ ok: 1, warning: 0, problem: 1 });
  expect(`\n${formatFindings(findings, { width: 80 })}\n`).toBe(`
ok       source of a     file /a.json, asked from here in 3ms
problem  source of team  https://x.example [2J answered 403
                         (source-http-status), asked from this machine
                         why: the registry cannot be synced; its last good copy
                              is still served
                         do:  check address and credentials: the upstream has
                              answered

1 problem, 0 warnings, 1 ok
`);
});
