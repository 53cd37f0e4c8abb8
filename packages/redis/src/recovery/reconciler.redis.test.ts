import { type ConfigInput, configSchema, digestOf } from '@syncline/contract';
import { filterHash, lastFiringMs, sourceHash } from '@syncline/sync';
import { createRecordingLogger } from '@syncline/sync/testing';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../stores/open-store.ts';
import { createRegistryReader } from '../stores/registry-reader.ts';
import { testRedis } from '../testing/test-redis.ts';
import { addDueWakeUps } from './due-wake-ups.ts';
import { createReconciler } from './reconciler.ts';

function configOf(...names: readonly string[]): ConfigInput {
  return { registries: names.map((name) => ({ name, file: { path: `/${name}.json` } })) };
}

/** Creates a Redis, and a function that creates schedulers that share it. */
function createShared() {
  const { redis, prefix } = testRedis();
  const logger = createRecordingLogger();
  const open = () => openStore({ redis, prefix, logger });
  const { keys, queue } = open();
  onTestFinished(() => queue.close());
  const repairs: string[] = [];
  const createScheduler = () => {
    const reconciler = createReconciler({
      store: open(),
      logger,
      metrics: { reconcileRepaired: (kind, count) => void repairs.push(`${kind} ${count}`) },
    });
    return { ...reconciler, pass: () => reconciler.pass(new AbortController().signal) };
  };
  /** Returns the waiting wake-ups as `<trigger> <registry>`, sorted. */
  const wakeUps = async () => {
    const jobs = await queue.getJobs(['waiting', 'prioritized', 'delayed']);
    return jobs
      .map(({ data }) => `${data.trigger} ${data.registry}`)
      .filter((wakeUp) => !wakeUp.startsWith('schedule'))
      .sort();
  };
  const schedules = async () => (await queue.getJobSchedulers()).map(({ key }) => key).sort();
  const warnings = () =>
    logger.entries.filter(({ level }) => level === 'warn').map(({ message }) => message);
  return { redis, prefix, keys, queue, repairs, createScheduler, wakeUps, schedules, warnings };
}

type Shared = ReturnType<typeof createShared>;

test('the first pass puts the config in force, and schedules and wakes each registry', async () => {
  const { createScheduler, wakeUps, schedules, repairs, redis, keys } = createShared();
  const scheduler = createScheduler();
  scheduler.adopt({ input: configOf('alpha', 'beta') });
  await scheduler.pass();
  expect(await redis.get(keys.config)).toBe(digestOf(configOf('alpha', 'beta')));
  expect(await schedules()).toEqual(['alpha', 'beta']);
  expect(await wakeUps()).toEqual(['startup alpha', 'startup beta']);
  expect(repairs).toEqual(['added 2']);
  await scheduler.pass();
  expect(await wakeUps()).toEqual(['startup alpha', 'startup beta']);
  expect(repairs).toEqual(['added 2']);
});

test('several schedulers have the same effect as one', async () => {
  const { createScheduler, wakeUps, schedules } = createShared();
  const all = [createScheduler(), createScheduler(), createScheduler()];
  for (const it of all) it.adopt({ input: configOf('alpha', 'beta') });
  await Promise.all(all.map((it) => it.pass()));
  await Promise.all(all.map((it) => it.pass()));
  expect(await schedules()).toEqual(['alpha', 'beta']);
  expect(await wakeUps()).toEqual(['startup alpha', 'startup beta']);
});

test('a scheduler with an older config does not undo the config in force', async () => {
  const { createScheduler, schedules } = createShared();
  const [old, current] = [createScheduler(), createScheduler()];
  old.adopt({ input: configOf('alpha') });
  await old.pass();
  current.adopt({ input: configOf('beta') });
  await current.pass();
  for (let pass = 0; pass < 3; pass += 1) {
    await old.pass();
    await current.pass();
    expect(await schedules()).toEqual(['beta']);
  }
});

test('everything is scheduled and synced again after Redis was emptied', async () => {
  const { createScheduler, wakeUps, schedules, queue, redis, prefix } = createShared();
  const scheduler = createScheduler();
  scheduler.adopt({ input: configOf('alpha', 'beta') });
  await scheduler.pass();
  await queue.obliterate({ force: true });
  await redis.unlink(...(await redis.keys(`${prefix}:*`)));
  await scheduler.pass();
  expect(await schedules()).toEqual(['alpha', 'beta']);
  expect(await wakeUps()).toEqual(['startup alpha', 'startup beta']);
});

test('a config that Redis lost is put in force again, and its registries are synced', async () => {
  const { createScheduler, wakeUps, schedules, redis, keys, queue } = createShared();
  const [first, second] = [createScheduler(), createScheduler()];
  for (const it of [first, second]) it.adopt({ input: configOf('alpha') });
  await first.pass();
  await second.pass();
  const edition = await redis.get(keys.configEdition);
  const old = digestOf(configOf('alpha'));
  const current = digestOf(configOf('alpha', 'beta'));
  first.adopt({ input: configOf('alpha', 'beta') });
  await first.pass();
  await redis.mset(keys.config, old, keys.configEdition, edition ?? '');
  await queue.removeJobScheduler('beta');
  await queue.remove(`startup-beta-0-${current.slice(0, 12)}`);
  expect(await wakeUps()).not.toContain('startup beta');
  // The second scheduler has seen no later edition, so it changes nothing.
  await second.pass();
  expect(await redis.get(keys.config)).toBe(old);
  await first.pass();
  await second.pass();
  expect(await redis.get(keys.config)).toBe(current);
  expect(await schedules()).toEqual(['alpha', 'beta']);
  expect(await wakeUps()).toContain('startup beta');
});

test.each<[what: string, tamper: (test: Shared, planted: ConfigInput) => Promise<unknown>]>([
  ['the pointer', ({ redis, keys }) => redis.set(keys.config, 'planted')],
  [
    'the pointer and a document with the right digest',
    ({ redis, keys }, planted) =>
      redis.mset(
        keys.config,
        digestOf(planted),
        keys.configDocument(digestOf(planted)),
        JSON.stringify(planted),
      ),
  ],
  [
    'the document',
    ({ redis, keys }, planted) =>
      redis.set(keys.configDocument(digestOf(configOf('alpha'))), JSON.stringify(planted)),
  ],
  [
    'the type of the document',
    async ({ redis, keys }) => {
      await redis.del(keys.configDocument(digestOf(configOf('alpha'))));
      await redis.sadd(keys.configDocument(digestOf(configOf('alpha'))), 'planted');
    },
  ],
])(
  'a scheduler restores its config in the next pass, with a warning, if another program changes %s',
  async (_what, tamper) => {
    const shared = createShared();
    const { createScheduler, schedules, warnings, redis, keys } = shared;
    const [publisher, other] = [createScheduler(), createScheduler()];
    for (const it of [publisher, other]) {
      it.adopt({ input: configOf('alpha') });
      await it.pass();
    }
    // The scheduler that published last may end. The other one must still notice.
    await publisher.pass();
    await tamper(shared, configOf('planted'));
    await publisher.pass();
    await other.pass();
    const digest = digestOf(configOf('alpha'));
    expect(await redis.get(keys.config)).toBe(digest);
    expect(JSON.parse((await redis.get(keys.configDocument(digest))) ?? '')).toEqual(
      configOf('alpha'),
    );
    expect(await schedules()).toEqual(['alpha']);
    expect(warnings()).toEqual(['config in Redis was changed by another program; restored']);
  },
);

test('schedulers with different configs never overwrite each other again, whoever passes when', async () => {
  const { createScheduler, warnings, redis, keys } = createShared();
  const all = ['a', 'b', 'c'].map((name) => ({ name, scheduler: createScheduler() }));
  for (const { name, scheduler } of all) scheduler.adopt({ input: configOf(name) });
  await Promise.all(all.map(({ scheduler }) => scheduler.pass()));
  const winner = await redis.get(keys.config);
  const edition = await redis.get(keys.configEdition);
  for (let pass = 0; pass < 5; pass += 1) {
    await Promise.all(all.map(({ scheduler }) => scheduler.pass()));
  }
  expect(await redis.get(keys.config)).toBe(winner);
  expect(await redis.get(keys.configEdition)).toBe(edition);
  expect(warnings()).toEqual([]);
  // The winner's config is restored, and not that of an older scheduler.
  await redis.set(keys.config, digestOf(configOf('planted')));
  await Promise.all(all.map(({ scheduler }) => scheduler.pass()));
  expect(await redis.get(keys.config)).toBe(winner);
});

test('an invalid value at the config key is replaced', async () => {
  const { createScheduler, redis, keys, schedules } = createShared();
  const scheduler = createScheduler();
  scheduler.adopt({ input: configOf('alpha') });
  await scheduler.pass();
  await redis.del(keys.config);
  await redis.sadd(keys.config, 'not ours');
  await scheduler.pass();
  expect(await redis.get(keys.config)).toBe(digestOf(configOf('alpha')));
  expect(await schedules()).toEqual(['alpha']);
});

test('a pass without any config changes nothing', async () => {
  const { createScheduler, schedules, wakeUps } = createShared();
  await createScheduler().pass();
  expect(await schedules()).toEqual([]);
  expect(await wakeUps()).toEqual([]);
});

test('a registry that is removed from the config loses its schedule, but keeps its data for a while', async () => {
  const { createScheduler, schedules, redis, keys } = createShared();
  const scheduler = createScheduler();
  scheduler.adopt({ input: configOf('alpha', 'beta') });
  await scheduler.pass();
  await redis.hset(keys.status('alpha'), 'term', '1');
  scheduler.adopt({ input: configOf('beta') });
  await scheduler.pass();
  expect(await schedules()).toEqual(['beta']);
  expect(await redis.exists(keys.status('alpha'))).toBe(1);
  expect(Number(await redis.zscore(keys.registries, 'alpha'))).toBeGreaterThan(0);
});

const HOUR_AGO = new Date(Date.now() - 3_700_000).toISOString();
const JUST_NOW = new Date(Date.now() - 1_000).toISOString();
const LATER = new Date(Date.now() + 60_000).toISOString();
const { registries } = configSchema.parse(configOf('alpha'));
const [ALPHA] = registries;
if (ALPHA === undefined) throw new Error('the config has alpha');
const SYNCED = {
  term: '1',
  snapshot: 'a',
  sourceHash: sourceHash(ALPHA),
  filterHash: filterHash(ALPHA),
};

test.each<[why: string, status: object, control: object, wakeUps: string[]]>([
  ['it has not been synced yet', {}, {}, ['startup alpha']],
  ['it is overdue', { ...SYNCED, lastSuccessAt: HOUR_AGO }, {}, ['startup alpha']],
  ['it is not due', { ...SYNCED, lastSuccessAt: JUST_NOW }, {}, []],
  ['its next try is in the future', { ...SYNCED, nextDueAt: LATER }, {}, []],
  [
    'its source has changed',
    { ...SYNCED, sourceHash: 'other', lastSuccessAt: JUST_NOW },
    {},
    ['config alpha'],
  ],
  [
    'its filter has changed',
    { ...SYNCED, filterHash: 'other', lastSuccessAt: JUST_NOW },
    {},
    ['config alpha'],
  ],
  ['it is suspended', {}, { suspended: '1' }, []],
  ['it is pinned', { ...SYNCED, lastSuccessAt: HOUR_AGO }, { pinned: 'a' }, []],
])(
  'at the start, only a registry that needs a sync is woken: %s',
  async (_why, status, control, expected) => {
    const { redis, keys, queue, wakeUps } = createShared();
    if (Object.keys(status).length > 0) await redis.hset(keys.status('alpha'), status);
    if (Object.keys(control).length > 0) await redis.hset(keys.control('alpha'), control);
    const reader = createRegistryReader({ redis, keys });
    const options = { queue, reader, config: configSchema.parse(configOf('alpha')), digest: 'one' };
    expect(await addDueWakeUps(options)).toBe(expected.length);
    expect(await wakeUps()).toEqual(expected);
  },
);

test('many registries are not all woken at once', async () => {
  const { redis, keys, queue } = createShared();
  const names = Array.from({ length: 500 }, (_, index) => `registry-${index}`);
  const reader = createRegistryReader({ redis, keys });
  const config = configSchema.parse(configOf(...names));
  expect(await addDueWakeUps({ queue, reader, config, digest: 'one' })).toBe(500);
  const delays = (await queue.getDelayed()).map(({ delay }) => delay);
  expect(delays.length).toBeGreaterThan(490);
  // 50 a second.
  expect(Math.max(...delays)).toBeLessThan(10_000);
  const perSecond = Map.groupBy(delays, (delayMs) => Math.floor(delayMs / 1_000));
  expect(Math.max(...[...perSecond.values()].map((list) => list.length))).toBeLessThan(100);
});

const EVERY_DAY = { pattern: '0 6 * * *', timezone: 'Europe/Berlin' };
const FIRED_MS = lastFiringMs(EVERY_DAY, Date.now());
const BEFORE_IT_FIRED = new Date(FIRED_MS - 1_000).toISOString();
const AFTER_IT_FIRED = new Date(FIRED_MS + 1_000).toISOString();
const LAST_WEEK = new Date(FIRED_MS - 7 * 86_400_000).toISOString();

test.each<[why: string, status: object, wakeUps: string[]]>([
  ['it has not been synced yet', {}, ['startup alpha']],
  [
    'it has not been synced yet, but tried',
    { ...SYNCED, lastAttemptAt: AFTER_IT_FIRED },
    ['startup alpha'],
  ],
  [
    'a firing was missed',
    { ...SYNCED, lastAttemptAt: BEFORE_IT_FIRED, lastSuccessAt: BEFORE_IT_FIRED },
    ['startup alpha'],
  ],
  [
    'no firing was missed, although the last success is old',
    { ...SYNCED, lastAttemptAt: AFTER_IT_FIRED, lastSuccessAt: LAST_WEEK },
    [],
  ],
])(
  'at the start, only a registry with a cron pattern that needs a sync is woken: %s',
  async (_why, status, expected) => {
    const { redis, keys, queue, wakeUps } = createShared();
    if (Object.keys(status).length > 0) await redis.hset(keys.status('alpha'), status);
    const reader = createRegistryReader({ redis, keys });
    const config = configSchema.parse({
      registries: [{ name: 'alpha', file: { path: '/alpha.json' }, schedule: EVERY_DAY }],
    });
    await addDueWakeUps({ queue, reader, config, digest: 'one' });
    expect(await wakeUps()).toEqual(expected);
  },
);
