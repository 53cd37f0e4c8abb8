import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { redisKeys } from '@syncline/contract';
import { connectRedis } from '@syncline/redis';
import { type Loop, startLoop } from '@syncline/runtime';
import {
  generateRows,
  type Lifetime,
  type See,
  startUpstream,
  type Upstream,
  until,
  writeConfig,
} from '@syncline/test/support';
import { startClientProcess } from './client-process.ts';
import { Clients } from './clients.ts';
import { Fleet } from './fleet.ts';
import { type Broken, checkHistory } from './history/check.ts';
import { type History, readHistory } from './history/history.ts';
import { openHistory } from './history/recorder.ts';
import type { Limits } from './history/violation.ts';
import { Injector } from './injector.ts';
import { type Plan, randomFrom } from './plan.ts';
import type { ClientProcessOptions } from './processes/client.ts';
import { findDesertedLeases, findRemains, findScheduled } from './remains.ts';
import { startReplicatedStore, startSingleStore } from './store.ts';
import { Victims } from './victims.ts';

const PREFIX = 'chaos';
const TOKEN = 'admin-token-of-chaos';
const INTERVAL_MS = 5_000;
/** The interval of the registries that seldom run. */
const LONG_INTERVAL_MS = 12 * 3_600_000;
/** One page of the upstream. Each answer shows only one state, so each snapshot must too. */
const ROW_COUNT = 95;
/** The delay of a normal and of a slow answer of the upstream. */
const UPSTREAM_DELAY_MS = 100;
const LONG_UPSTREAM_DELAY_MS = 1_500;
const NEW_STATE_EVERY_MS = 700;

export interface ChaosOptions {
  readonly plan: Plan;
  /** Limits that override the promised ones. */
  readonly limits?: Partial<Limits>;
  /** The folder for the histories. */
  readonly directory: string;
  readonly lifetime: Lifetime;
  readonly log: (line: string) => void;
}

export interface ChaosResult {
  readonly history: History;
  readonly broken: readonly Broken[];
}

/** Starts the real system, injects the faults of the plan, and checks the history against all rules. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { plan, directory, lifetime, log } = options;
  await mkdir(directory, { recursive: true });
  const random = randomFrom(plan.seed);
  const intervalMs = (registry: string) => intervalOf(registry, plan);
  const recorder = openHistory(path.join(directory, 'harness.ndjson'));
  const upstream = await startUpstream({ recording: false, lifetime });
  const isSlow = ({ number }: { number: number }) => number % plan.slowEvery === 0;
  upstream.behave({ kind: 'delay', delayMs: UPSTREAM_DELAY_MS }, { times: Infinity });
  upstream.behave(
    { kind: 'delay', delayMs: LONG_UPSTREAM_DELAY_MS },
    { times: Infinity, when: isSlow },
  );
  const states = changeStates(upstream);
  lifetime.defer(() => states.stop());

  const isReplicated = plan.faults.some(({ fault }) => fault === 'fail-over');
  const store = await (isReplicated ? startReplicatedStore(lifetime) : startSingleStore(lifetime));
  const registries = Array.from(
    { length: plan.registries + plan.seldom },
    (_, index) => `r${index + 1}`,
  );
  const configOf = (names: readonly string[]) => ({
    registries: names.map((name) => ({
      name,
      api: { endpoint: upstream.url },
      syncPolicy: { interval: `${intervalMs(name) / 1_000}s` },
    })),
  });
  const config = await writeConfig(configOf(registries), lifetime);
  const applyConfig = async (names: readonly string[]) => {
    await config.replace(configOf(names));
    recorder.record({ kind: 'config-applied', registries: [...names] });
  };
  const env = {
    REDIS_URL: store.url,
    SYNCLINE_PREFIX: PREFIX,
    SYNCLINE_CONFIG: config.path,
    SYNCLINE_DATA_DIR: path.join(directory, 'data'),
    SYNCLINE_ADMIN_TOKEN_FILE: path.join(directory, 'admin.token'),
  };
  await writeFile(env.SYNCLINE_ADMIN_TOKEN_FILE, TOKEN);
  const fleet = new Fleet({
    env,
    directory,
    recorder,
    lifetime,
    ports: [...store.ports, upstream.port],
    sabotage: plan.sabotage,
  });
  const keys = redisKeys(PREFIX);
  const connect = async () =>
    connectRedis({ url: (await store.primary()).url, manner: 'prompt', onError: () => {} });
  const injector = new Injector({
    fleet,
    store,
    upstreamPort: upstream.port,
    keys,
    victims: new Victims({ fleet, random, log }),
    recorder,
    registries,
    applyConfig,
    connect,
    directory,
    log,
  });
  lifetime.defer(() => injector.close());
  await injector.watch('begun');
  injector.watchSwitches();
  await startAll(fleet, plan);
  recorder.record({ kind: 'config-applied', registries });

  const apis = fleet.of('api').flatMap(({ url }) => (url === undefined ? [] : [url]));
  const clients = new Clients({
    recorder,
    apis,
    token: TOKEN,
    registries,
    random,
    rowCount: ROW_COUNT,
  });
  const isSettled = async (see: See) => {
    const unsettled = await clients.findUnsettled();
    see(unsettled);
    return unsettled === undefined;
  };
  await until(isSettled, { what: 'the first syncs', timeoutMs: plan.firstSyncsMs }).catch(
    (error: unknown) => {
      // Without leases, runs displace each other until they count as crashed. The checker must find that.
      if (plan.sabotage === undefined) throw error;
      log(String(error));
    },
  );
  log(`the faults begin, on ${registries.length} registries`);
  const startClient = (does: ClientProcessOptions['does'], seed: number) =>
    startClientProcess({
      directory,
      recorder,
      lifetime,
      options: { does, apis, token: TOKEN, registries, rowCount: ROW_COUNT, seed },
    });
  const readers = await startClient('look', plan.seed);
  const requesters =
    plan.requests === 'none'
      ? undefined
      : await startClient(`request-${plan.requests}`, plan.seed + 1);
  await injector.inject(plan);
  await requesters?.stop();
  log('the faults are over');
  const redis = await connect();
  const areLeasesHeld = async (see: See) => {
    const pids = new Set(fleet.of('worker').map((worker) => worker.process.pid));
    const deserted = await findDesertedLeases(redis, keys, { registries, pids });
    see(deserted);
    return deserted.length === 0;
  };
  const areScheduled = async (see: See) => {
    const scheduled = await findScheduled(redis, keys);
    see(`${scheduled.length} schedules`);
    return scheduled.length === registries.length;
  };
  await until(
    async (see) => (await isSettled(see)) && (await areLeasesHeld(see)) && areScheduled(see),
    { what: 'all requests to be handled and all schedules to exist', timeoutMs: plan.settleMs },
  ).catch((error: unknown) => log(String(error)));
  recorder.record({ kind: 'schedules-seen', registries: await findScheduled(redis, keys) });
  await readers.stop();
  recorder.record({ kind: 'history-ended' });
  await fleet.stop();
  for (const remains of await findRemains(redis, keys, registries)) {
    recorder.record({ kind: 'left-behind', ...remains });
  }
  redis.disconnect();
  await states.stop();
  injector.close();
  recorder.close();

  const history = await readHistory(directory);
  // The system has settled, so a request that is still open will never be handled.
  const broken = checkHistory(history, { intervalMs, answerMs: 0, ...options.limits });
  return { history, broken };
}

/** Returns the interval of a registry. The last registries seldom run. */
function intervalOf(registry: string, { registries }: Plan): number {
  return Number(registry.slice(1)) > registries ? LONG_INTERVAL_MS : INTERVAL_MS;
}

async function startAll(fleet: Fleet, { schedulers, workers, apis }: Plan): Promise<void> {
  const numbered = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  await Promise.all([
    ...numbered(schedulers).map((number) => fleet.add('scheduler', `scheduler-${number}`)),
    ...numbered(workers).map((number) => fleet.add('worker', `worker-${number}`)),
    ...numbered(apis).map((number) => fleet.add('api', `api-${number}`)),
  ]);
}

/**
 * Changes the rows of the upstream repeatedly. Each row names its state, so that a mix of states can be
 * detected.
 */
function changeStates(upstream: Upstream): Loop {
  const rows = generateRows({ count: ROW_COUNT, seed: 7 });
  let state = 0;
  return startLoop({
    everyMs: NEW_STATE_EVERY_MS,
    pass: async () => {
      state += 1;
      const description = `state ${state}`;
      upstream.replace(rows.map((row) => ({ ...row, server: { ...row.server, description } })));
    },
    onError: (error) => {
      throw error;
    },
  });
}
