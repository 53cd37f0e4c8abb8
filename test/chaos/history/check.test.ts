/** Tests the checker with histories written by hand: wrong ones that it must find, and similar right ones. */
import { describe, expect, test } from 'vitest';
import { checkHistory, formatViolation, RULES } from './check.ts';
import type { EventKind, EventOf, Happened, HistoryEvent } from './events.ts';
import { History } from './history.ts';

const D1 = 'd1'.repeat(32);
const D2 = 'd2'.repeat(32);
const TTL_MS = 12_000;

function at(atMs: number, happened: Happened, process = 'worker-1'): HistoryEvent {
  return { atMs, wallMs: 1_770_000_000_000 + atMs, process, ...happened };
}

type Of<Kind extends EventKind> = Partial<Omit<EventOf<Kind>, 'kind'>>;

const acquired = (atMs: number, term: string, given: Of<'lease-acquired'> = {}) =>
  at(
    atMs,
    {
      kind: 'lease-acquired',
      registry: 'alpha',
      term,
      owner: given.process ?? 'worker-1',
      calledAtMs: atMs - 2,
      ttlMs: TTL_MS,
      requested: 0,
      handled: 0,
      ...given,
    },
    given.process,
  );
const renewed = (atMs: number, term: string, given: Of<'lease-renewed'> = {}) =>
  at(atMs, {
    kind: 'lease-renewed',
    registry: 'alpha',
    term,
    calledAtMs: atMs - 2,
    ttlMs: TTL_MS,
    ...given,
  });
const tried = (atMs: number, term: string, given: Of<'ending-tried'> = {}) =>
  at(atMs, {
    kind: 'ending-tried',
    registry: 'alpha',
    term,
    calledAtMs: atMs,
    outcome: 'unchanged',
    phase: 'Complete',
    handledRequest: 0,
    ...given,
  });
const answered = (
  atMs: number,
  term: string,
  given: Of<'ending-answered'> & { calledAtMs: number },
) => at(atMs, { kind: 'ending-answered', registry: 'alpha', term, answer: 'finished', ...given });
const wrote = (atMs: number, term: string, given: Of<'write-answered'> = {}) =>
  at(atMs, {
    kind: 'write-answered',
    registry: 'alpha',
    term,
    calledAtMs: atMs - 2,
    what: 'chunks',
    accepted: true,
    ...given,
  });
const called = (atMs: number, term: string) =>
  at(atMs, { kind: 'upstream-called', registry: 'alpha', term });
const storeAcquired = (atMs: number, term: string, given: Of<'store-acquired'> = {}) =>
  at(
    atMs,
    {
      kind: 'store-acquired',
      registry: 'alpha',
      term,
      owner: 'worker-1',
      redisMs: atMs,
      leaseUntilMs: atMs + TTL_MS,
      ...given,
    },
    'redis',
  );
const storeEnded = (atMs: number, term: string, given: Of<'store-ended'> = {}) =>
  at(
    atMs,
    {
      kind: 'store-ended',
      registry: 'alpha',
      term,
      owner: 'worker-1',
      redisMs: atMs,
      phase: 'Complete',
      ...given,
    },
    'redis',
  );
const storeWrote = (atMs: number, term: string, owner = 'worker-1') =>
  at(
    atMs,
    { kind: 'store-wrote', registry: 'alpha', term, owner, redisMs: atMs, what: 'chunks' },
    'redis',
  );
const unknown = (atMs: number) => at(atMs, { kind: 'store-unknown', why: 'restarted' }, 'redis');
const requested = (atMs: number, request: number, given: Of<'request-acknowledged'> = {}) =>
  at(
    atMs,
    { kind: 'request-acknowledged', registry: 'alpha', request, calledAtMs: atMs - 2, ...given },
    'client',
  );
const read = (atMs: number, given: Of<'snapshot-read'>) =>
  at(atMs, { kind: 'snapshot-read', registry: 'alpha', calledAtMs: atMs - 50, ...given }, 'client');
const seen = (atMs: number, phase: EventOf<'status-seen'>['phase']) =>
  at(atMs, { kind: 'status-seen', registry: 'alpha', calledAtMs: atMs - 2, phase }, 'client');
const config = (atMs: number, ...registries: string[]) =>
  at(atMs, { kind: 'config-applied', registries }, 'harness');
const schedules = (atMs: number, ...registries: string[]) =>
  at(atMs, { kind: 'schedules-seen', registries }, 'harness');
const fault = (atMs: number, given: Of<'fault'> = {}) =>
  at(atMs, { kind: 'fault', fault: 'pause', target: 'worker-1', stops: true, ...given }, 'harness');
const ended = (atMs: number) => at(atMs, { kind: 'history-ended' }, 'harness');

/** A run from its lease to its end, as its worker and as Redis saw it. */
function run(
  atMs: number,
  term: string,
  given: Of<'ending-tried'> & Of<'lease-acquired'> = {},
): HistoryEvent[] {
  const { requested = 0, handled = 0, process, ...ending } = given;
  return [
    storeAcquired(atMs, term),
    acquired(atMs + 1, term, { requested, handled, ...(process === undefined ? {} : { process }) }),
    called(atMs + 10, term),
    tried(atMs + 100, term, ending),
    storeEnded(atMs + 101, term, {
      ...(ending.phase === undefined ? {} : { phase: ending.phase }),
      ...(ending.publishes === undefined ? {} : { publishes: ending.publishes }),
    }),
    answered(atMs + 102, term, { calledAtMs: atMs + 100 }),
  ];
}

interface Case {
  readonly what: string;
  readonly events: readonly HistoryEvent[];
}

const ALPHA_IS_DROPPED = [config(0, 'alpha', 'beta'), ...run(10, '100'), config(1_000, 'beta')];

const RIGHT: readonly Case[] = [
  { what: 'an empty history', events: [] },
  {
    what: 'a registry with several runs, one of which fails',
    events: [
      config(0, 'alpha'),
      seen(5, 'Pending'),
      ...run(10, '100', { outcome: 'published', publishes: D1, trigger: 'startup' }),
      read(400, { digest: D1 }),
      seen(500, 'Complete'),
      requested(1_000, 1),
      ...run(1_010, '200', { handledRequest: 1, requested: 1 }),
      ...run(3_000, '300', { outcome: 'failed', phase: 'Failed' }),
      seen(3_500, 'Failed'),
      ...run(5_000, '400', { outcome: 'published', publishes: D2 }),
      read(5_500, { digest: D2 }),
      read(5_600, {}),
      ended(6_000),
    ],
  },
  {
    what: 'a lease that is taken after it expired, while the former holder’s writes are refused',
    events: [
      storeAcquired(0, '100'),
      acquired(1, '100'),
      storeAcquired(TTL_MS, '200', { owner: 'worker-2' }),
      acquired(TTL_MS + 1, '200', { process: 'worker-2' }),
      tried(TTL_MS + 100, '100', { outcome: 'published', publishes: D1 }),
      answered(TTL_MS + 101, '100', { calledAtMs: TTL_MS + 100, answer: 'refused' }),
      wrote(TTL_MS + 200, '100', { accepted: false }),
    ],
  },
  {
    what: 'a lease that is taken just before the former holder receives its answer',
    events: [
      acquired(1_000, '200', { process: 'worker-2', calledAtMs: 900 }),
      acquired(1_001, '100', { calledAtMs: 950 }),
      wrote(1_005, '100', { calledAtMs: 990 }),
    ],
  },
  {
    what: 'a lease that Redis granted and lost when it was killed, so that the previous one is valid again',
    events: [
      acquired(1_000, '100'),
      acquired(14_000, '200', { process: 'worker-2' }),
      fault(14_500, { fault: 'kill-redis', target: 'redis', losesData: true }),
      wrote(15_000, '100'),
    ],
  },
  {
    what: 'a lease of a Redis server that was replaced with its last writes lost',
    events: [
      acquired(1_000, '100'),
      fault(13_000, { fault: 'hang-redis', target: 'redis', losesData: true }),
      acquired(14_000, '200', { process: 'worker-2' }),
      wrote(15_000, '100'),
      at(20_000, { kind: 'redis-settled' }, 'harness'),
    ],
  },
  {
    what: 'a request at the moment of a Redis failover',
    events: [
      requested(50, 7),
      fault(53, { fault: 'switch', target: 'redis', losesData: true }),
      ended(70_000),
    ],
  },
  {
    what: 'a run of a registry that was dropped during a Redis outage',
    events: [
      config(0, 'alpha', 'beta'),
      config(20_000, 'beta'),
      fault(21_000, { fault: 'fill-memory', target: 'redis' }),
      at(24_000, { kind: 'redis-back' }, 'harness'),
      acquired(32_000, '100'),
      called(32_001, '100'),
    ],
  },
  {
    what: 'an end of a run that is written twice, and accepted the first time',
    events: [
      acquired(1, '100'),
      tried(100, '100', { outcome: 'published', publishes: D1 }),
      acquired(300, '200', { process: 'worker-2' }),
      tried(400, '100', { outcome: 'published', publishes: D1 }),
      answered(401, '100', { calledAtMs: 400, answer: 'refused' }),
      read(500, { digest: D1 }),
    ],
  },
  {
    what: 'a lease after a Redis kill that made earlier leases unknown',
    events: [
      storeAcquired(0, '100'),
      unknown(500),
      storeAcquired(600, '200', { owner: 'worker-2' }),
      unknown(700),
      storeWrote(800, '200'),
    ],
  },
  {
    what: 'a request during a run, handled by the next run',
    events: [
      ...run(0, '100', { handledRequest: 0 }),
      requested(50, 1),
      ...run(500, '200', { handledRequest: 1, requested: 1 }),
      ended(200_000),
    ],
  },
  {
    what: 'a request that was lost with the data of Redis, but was followed by a run',
    events: [
      requested(50, 7),
      fault(60, { fault: 'empty-redis', target: 'redis', losesData: true }),
      seen(70, 'Pending'),
      ...run(500, '200'),
      ended(200_000),
    ],
  },
  {
    what: 'a request number that Redis gives again after a data loss',
    events: [
      requested(50, 1),
      ...run(100, '100', { handledRequest: 1, requested: 1 }),
      fault(5_000, { fault: 'empty-redis', target: 'redis', losesData: true }),
      requested(9_000, 1),
      ...run(9_010, '200', { handledRequest: 1, requested: 1 }),
      ended(200_000),
    ],
  },
  {
    what: 'a request too late in the history to be handled',
    events: [requested(50, 1), ended(1_000)],
  },
  {
    what: 'an upstream request right after a pause in which the lease was lost',
    events: [acquired(1, '100'), fault(100, { untilMs: 40_000 }), called(40_500, '100')],
  },
  {
    what: 'a long run that renews its lease',
    events: [
      acquired(1, '100'),
      renewed(4_000, '100'),
      renewed(8_000, '100'),
      called(19_000, '100'),
    ],
  },
  {
    what: 'a dropped registry with one run that was already starting',
    events: [...ALPHA_IS_DROPPED, acquired(2_000, '200'), called(2_001, '200')],
  },
  {
    what: 'a lease of a dropped registry, taken by a worker that learns of the drop at that moment',
    events: [
      ...ALPHA_IS_DROPPED,
      acquired(12_000, '200'),
      tried(12_005, '200', { outcome: undefined }),
      answered(12_010, '200', { calledAtMs: 12_005 }),
    ],
  },
  {
    what: 'a synced registry that is Pending after Redis has lost its data',
    events: [
      seen(10, 'Complete'),
      fault(20, { fault: 'empty-redis', target: 'redis', losesData: true }),
      seen(30, 'Pending'),
    ],
  },
  {
    what: 'a run whose process is killed, and that another run follows soon',
    events: [
      acquired(1, '100'),
      fault(500, { fault: 'kill' }),
      acquired(16_000, '200', { process: 'worker-2' }),
      ended(60_000),
    ],
  },
  {
    what: 'a kill during a Redis outage, and a kill of an idle worker',
    events: [
      acquired(1, '100'),
      fault(500, { fault: 'kill' }),
      fault(600, { fault: 'kill-redis', target: 'redis', losesData: true }),
      acquired(25_000, '200', { process: 'worker-2' }),
      tried(25_100, '200'),
      answered(25_101, '200', { calledAtMs: 25_100 }),
      fault(30_000, { fault: 'kill', target: 'worker-2' }),
      ended(60_000),
    ],
  },
  {
    what: 'a process that is killed, and one that stops when told to',
    events: [
      at(0, { kind: 'process-started', name: 'worker-1', pid: 1 }, 'harness'),
      at(1, { kind: 'process-ended', name: 'worker-1', how: 'killed' }, 'harness'),
      at(2, { kind: 'process-started', name: 'worker-1', pid: 2 }, 'harness'),
      at(3, { kind: 'process-ended', name: 'worker-1', how: 'stopped' }, 'harness'),
    ],
  },
];

const WRONG: readonly (Case & { readonly rule: string; readonly says: RegExp })[] = [
  {
    rule: 'I1',
    what: 'a lease that is given while another one lasts',
    events: [storeAcquired(0, '100'), storeAcquired(TTL_MS - 2, '200', { owner: 'worker-2' })],
    says: /200 was given while 100 had 2 ms left/,
  },
  {
    rule: 'I1',
    what: 'a lease that is given while a renewed one lasts',
    events: [
      storeAcquired(0, '100'),
      at(5_000, {
        kind: 'store-renewed',
        registry: 'alpha',
        term: '100',
        owner: 'worker-1',
        redisMs: 5_000,
        leaseUntilMs: 17_000,
      }),
      storeAcquired(13_000, '200', { owner: 'worker-2' }),
    ],
    says: /200 was given while 100 had 4000 ms left/,
  },
  {
    rule: 'I1',
    what: 'a term that is given twice',
    events: [acquired(1, '100'), acquired(50_000, '100', { process: 'worker-2' })],
    says: /100 was given twice/,
  },
  {
    rule: 'I1',
    what: 'a term that decreases, even after all data was lost',
    events: [
      acquired(1, '500'),
      fault(10, { fault: 'empty-redis', target: 'redis', losesData: true }),
      acquired(50_000, '3'),
    ],
    says: /3 was given after 500/,
  },
  {
    rule: 'I2',
    what: 'a write under an old term that Redis executed',
    events: [
      storeAcquired(0, '100'),
      storeAcquired(TTL_MS, '200', { owner: 'worker-2' }),
      storeWrote(TTL_MS + 10, '100'),
    ],
    says: /store-wrote by 100 of worker-1, while 200 of worker-2/,
  },
  {
    rule: 'I2',
    what: 'a write under the current term by another owner',
    events: [storeAcquired(0, '100'), storeWrote(10, '100', 'worker-2')],
    says: /store-wrote by 100 of worker-2, while 100 of worker-1/,
  },
  {
    rule: 'I2',
    what: 'a renewal after the end of the run',
    events: [
      storeAcquired(0, '100'),
      storeEnded(10, '100'),
      at(20, {
        kind: 'store-renewed',
        registry: 'alpha',
        term: '100',
        owner: 'worker-1',
        redisMs: 20,
        leaseUntilMs: 30,
      }),
    ],
    says: /store-renewed by 100 of worker-1, while nobody/,
  },
  {
    rule: 'I2',
    what: 'an end of a run under an old term that is accepted',
    events: [
      acquired(1, '100'),
      acquired(13_000, '200', { process: 'worker-2' }),
      tried(14_000, '100'),
      answered(14_001, '100', { calledAtMs: 14_000 }),
    ],
    says: /ending-answered of 100 was accepted after 200 was given/,
  },
  {
    rule: 'I2',
    what: 'chunks under an old term that are accepted',
    events: [
      acquired(1, '100'),
      acquired(13_000, '200', { process: 'worker-2' }),
      wrote(14_000, '100'),
    ],
    says: /write-answered of 100 was accepted after 200/,
  },
  {
    rule: 'I2',
    what: 'a no-op tick that is accepted during another run',
    events: [
      acquired(13_000, '200', { process: 'worker-2' }),
      at(14_000, {
        kind: 'confirm-answered',
        registry: 'alpha',
        term: '100',
        calledAtMs: 13_990,
        accepted: true,
      }),
    ],
    says: /confirm-answered of 100 was accepted after 200/,
  },
  {
    rule: 'I3',
    what: 'a page with rows of two states',
    events: [
      ...run(0, '100', { outcome: 'published', publishes: D1 }),
      read(400, { problem: 'two states on a page' }),
    ],
    says: /a reader found two states/,
  },
  {
    rule: 'I3',
    what: 'a snapshot that nobody published',
    events: [...run(0, '100', { outcome: 'published', publishes: D1 }), read(400, { digest: D2 })],
    says: /d2d2d2d2d2d2, which nobody had published/,
  },
  {
    rule: 'I3',
    what: 'a snapshot whose publications were all refused',
    events: [
      acquired(1, '100'),
      tried(100, '100', { outcome: 'published', publishes: D1 }),
      answered(101, '100', { calledAtMs: 100, answer: 'refused' }),
      read(400, { digest: D1 }),
    ],
    says: /d1d1d1d1d1d1, which nobody had published/,
  },
  {
    rule: 'I3',
    what: 'a snapshot that is served before its publication',
    events: [
      read(400, { digest: D1 }),
      ...run(500, '100', { outcome: 'published', publishes: D1 }),
    ],
    says: /which nobody had published/,
  },
  {
    rule: 'I4',
    what: 'a registry that no longer runs',
    events: [config(0, 'alpha'), ...run(10, '100'), ended(65_100)],
    says: /alpha: not run for 65\d{3} ms, of 65000 ms/,
  },
  {
    rule: 'I4',
    what: 'a registry that never runs',
    events: [config(0, 'alpha', 'beta'), ...run(10, '100'), ...run(60_000, '200'), ended(65_100)],
    says: /beta: not run for 65100 ms/,
  },
  {
    rule: 'I4',
    what: 'a registry that runs too late',
    events: [config(0, 'alpha'), ...run(10, '100'), ...run(70_000, '200'), ended(75_000)],
    says: /alpha: not run for/,
  },
  {
    rule: 'I5',
    what: 'a request that no run handles',
    events: [requested(100, 1), ...run(200, '100', { handledRequest: 0 }), ended(70_000)],
    says: /nothing answered request 1 within 60000 ms/,
  },
  {
    rule: 'I5',
    what: 'a request that only an interrupted run handles',
    events: [
      requested(100, 1),
      ...run(200, '100', { handledRequest: 1, requested: 1, outcome: 'interrupted' }),
      ended(70_000),
    ],
    says: /nothing answered request 1/,
  },
  {
    rule: 'I5',
    what: 'a request that is handled only by a run whose end was refused',
    events: [
      requested(100, 1),
      acquired(200, '100', { requested: 1 }),
      tried(300, '100', { handledRequest: 1 }),
      answered(301, '100', { calledAtMs: 300, answer: 'refused' }),
      ended(70_000),
    ],
    says: /nothing answered request 1/,
  },
  {
    rule: 'I5',
    what: 'a request that is handled by a run that started before it',
    events: [...run(0, '100', { handledRequest: 1, requested: 1 }), requested(50, 1)],
    says: /request 1 was answered by a run that had begun before it/,
  },
  {
    rule: 'I5',
    what: 'a request whose reused number is handled only by an earlier run',
    events: [
      ...run(100, '100', { handledRequest: 1, requested: 1 }),
      fault(5_000, { fault: 'empty-redis', target: 'redis', losesData: true }),
      requested(9_000, 1),
      ended(200_000),
    ],
    says: /nothing answered request 1/,
  },
  {
    rule: 'I5',
    what: 'a run that handles more than was requested',
    events: run(0, '100', { handledRequest: 2, requested: 1 }),
    says: /100 answers request 2, of which it cannot have known/,
  },
  {
    rule: 'I5',
    what: 'a request that was lost with the data of Redis, and that no run follows',
    events: [
      requested(50, 7),
      fault(60, { fault: 'empty-redis', target: 'redis', losesData: true }),
      ended(70_000),
    ],
    says: /nothing answered request 7/,
  },
  {
    rule: 'I5',
    what: 'a request that was on disk long before Redis was killed, and that no run follows',
    events: [
      requested(50, 7),
      fault(6_000, { fault: 'kill-redis', target: 'redis', losesData: true }),
      ended(70_000),
    ],
    says: /nothing answered request 7/,
  },
  {
    rule: 'I6',
    what: 'missed ticks that all become runs',
    events: [
      ...run(0, '100', { trigger: 'schedule' }),
      ...run(300, '200', { trigger: 'schedule' }),
      ...run(600, '300', { trigger: 'schedule' }),
      ...run(900, '400', { trigger: 'schedule' }),
    ],
    says: /4 scheduled runs began within one interval/,
  },
  {
    rule: 'I7',
    what: 'a registry that runs long after the config dropped it',
    events: [...ALPHA_IS_DROPPED, ...run(12_000, '200')],
    says: /alpha: run, though the config had dropped it/,
  },
  {
    rule: 'I7',
    what: 'an upstream request long after the config dropped the registry, by a run that records nothing else',
    events: [...ALPHA_IS_DROPPED, acquired(12_000, '200'), called(12_001, '200')],
    says: /alpha: run, though the config had dropped it/,
  },
  {
    rule: 'I7',
    what: 'a lease that is kept long after the config dropped the registry',
    events: [...ALPHA_IS_DROPPED, acquired(12_000, '200'), renewed(16_000, '200')],
    says: /alpha: run, though the config had dropped it/,
  },
  {
    rule: 'I7',
    what: 'a registry that does not exist although the config names it',
    events: [
      config(0, 'alpha'),
      ...run(10, '100'),
      seen(11_000, 'Complete'),
      seen(12_000, 'absent'),
    ],
    says: /alpha: gone, though the config names it/,
  },
  {
    rule: 'transitions',
    what: 'a failed run after which the phase is Complete',
    events: run(0, '100', { outcome: 'failed', phase: 'Complete' }),
    says: /Complete after a run that was failed/,
  },
  {
    rule: 'transitions',
    what: 'a finished run after which the phase is Syncing',
    events: [storeAcquired(0, '100'), storeEnded(100, '100', { phase: 'Syncing' })],
    says: /Syncing after its run/,
  },
  {
    rule: 'transitions',
    what: 'a synced registry that is Pending again',
    events: [seen(10, 'Complete'), seen(20, 'Syncing'), seen(30, 'Pending')],
    says: /Pending after Complete/,
  },
  {
    rule: 'upstream-after-loss',
    what: 'an upstream request long after the lease was lost',
    events: [acquired(1, '100'), renewed(4_000, '100'), called(18_500, '100')],
    says: /100 asked its upstream 2502 ms after it had lost its lease/,
  },
  {
    rule: 'upstream-after-loss',
    what: 'an upstream request long after a renewal was refused',
    events: [
      acquired(1, '100'),
      at(4_000, { kind: 'lease-refused', registry: 'alpha', term: '100' }),
      called(6_500, '100'),
    ],
    says: /100 asked its upstream 2500 ms after/,
  },
  {
    rule: 'upstream-after-loss',
    what: 'an upstream request long after the pause of another process',
    events: [
      acquired(1, '100'),
      fault(100, { target: 'worker-2', untilMs: 40_000 }),
      called(40_500, '100'),
    ],
    says: /100 asked its upstream/,
  },
  {
    rule: 'upstream-after-loss',
    what: 'an upstream request long after the lease was lost, by a process that was disconnected from Redis',
    events: [
      acquired(1, '100'),
      fault(100, { fault: 'cut redis', stops: false, untilMs: 40_000 }),
      called(20_500, '100'),
    ],
    says: /100 asked its upstream 8501 ms after/,
  },
  {
    rule: 'recovery',
    what: 'a run whose process is killed, and that no run follows',
    events: [acquired(1, '100'), fault(500, { fault: 'kill' }), ended(21_000)],
    says: /alpha: not run for 20500 ms, of 20000 ms, after the kill of worker-1/,
  },
  {
    rule: 'recovery',
    what: 'a run whose process is killed, and that a run follows too late',
    events: [
      acquired(1, '100'),
      fault(500, { fault: 'kill' }),
      acquired(40_500, '200', { process: 'worker-2' }),
    ],
    says: /alpha: not run for 40000 ms/,
  },
  {
    rule: 'scheduled',
    what: 'a registry that permanently lost its schedule',
    events: [config(0, 'alpha', 'beta'), schedules(900, 'alpha')],
    says: /beta: has no schedule/,
  },
  {
    rule: 'scheduled',
    what: 'a schedule of a registry that the config has dropped',
    events: [config(0, 'alpha', 'beta'), config(9, 'alpha'), schedules(900, 'alpha', 'beta')],
    says: /beta: has a schedule still/,
  },
  {
    rule: 'nothing-left',
    what: 'a process that left a child process behind',
    events: [at(0, { kind: 'left-behind', what: 'process', name: 'git (4711)' }, 'harness')],
    says: /process git \(4711\) was left behind/,
  },
  {
    rule: 'nothing-left',
    what: 'a process that never ended',
    events: [
      at(0, { kind: 'process-started', name: 'worker-1', pid: 1 }, 'harness'),
      at(1, { kind: 'process-ended', name: 'worker-1', how: 'killed' }, 'harness'),
      at(2, { kind: 'process-started', name: 'worker-1', pid: 2 }, 'harness'),
    ],
    says: /worker-1 was started and never ended/,
  },
  {
    rule: 'nothing-left',
    what: 'a process that died by itself',
    events: [
      at(0, { kind: 'process-started', name: 'worker-1', pid: 1 }, 'harness'),
      at(1, { kind: 'process-ended', name: 'worker-1', how: 'by itself' }, 'harness'),
    ],
    says: /worker-1 ended by itself/,
  },
  {
    rule: 'nothing-left',
    what: 'a process that was told to stop, and had to be killed',
    events: [
      at(0, { kind: 'process-started', name: 'worker-1', pid: 1 }, 'harness'),
      at(1, { kind: 'process-ended', name: 'worker-1', how: 'out of order' }, 'harness'),
    ],
    says: /worker-1 ended out of order/,
  },
];

describe('the checker accepts', () => {
  test.each(RIGHT)('$what', ({ events }) => {
    expect(checkHistory(new History(events))).toEqual([]);
  });
});

describe('the checker reports', () => {
  test.each(WRONG)('$rule: $what', ({ rule, events, says }) => {
    const broken = checkHistory(new History(events));
    expect(broken.map((it) => [it.rule, it.message])).toEqual([
      [rule, expect.stringMatching(says)],
    ]);
  });

  test('each rule has a history that breaks it', () => {
    const broken = new Set(WRONG.map(({ rule }) => rule));
    expect(RULES.map(({ name }) => name)).toEqual(
      RULES.map(({ name }) => name).filter((it) => broken.has(it)),
    );
  });
});

test('a violation is shown with the events that prove it, and the faults at that time', () => {
  const history = new History([
    ...run(0, '50', { outcome: 'published', publishes: D1 }),
    at(800_000, { kind: 'fault', fault: 'kill', target: 'worker-9' }, 'harness'),
    storeAcquired(1_000_000, '100'),
    fault(1_000_500, { untilMs: 1_013_000 }),
    storeAcquired(1_012_000, '200', { owner: 'worker-2' }),
    storeWrote(1_013_500, '100'),
  ]);
  const [violation, ...others] = checkHistory(history);
  if (violation === undefined) throw new Error('nothing was found');
  expect(others).toEqual([]);
  expect(formatViolation(violation, history).split('\n')).toEqual([
    'I2: alpha: store-wrote by 100 of worker-1, while 200 of worker-2 had the lease',
    expect.stringMatching(/^ +-11\.500 s {2}harness +fault fault=pause target=worker-1/),
    expect.stringMatching(/^ +0\.000 s {2}redis +store-acquired registry=alpha term=200/),
    expect.stringMatching(/^ +1\.500 s {2}redis +store-wrote registry=alpha term=100/),
  ]);
});
