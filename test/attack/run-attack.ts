import { setTimeout as sleep } from 'node:timers/promises';
import { createApiClient } from '../support/api-client.ts';
import type { Lifetime } from '../support/lifetime.ts';
import { untilComplete } from '../support/until-registry.ts';
import { startClients, startUpstreams } from './attackers.ts';
import { PROMISES } from './contract.ts';
import type { Cores } from './cores.ts';
import { type AttackedFleet, fleetDirectory, startFleet } from './fleet.ts';
import { startHonestRegistries, writeLibrary } from './honest.ts';
import type { InspectContext, RegistriesContext, RegistryInput, Scenario } from './scenario.ts';
import type { Named, Observations } from './verdict.ts';
import { watchLateness } from './watch/lateness.ts';
import { type MemoryWatch, watchMemory } from './watch/memory.ts';
import { findNames } from './watch/names.ts';
import { startReaders } from './watch/readers.ts';

const LOOK_AGAIN_MS = 1_000;

export interface AttackOptions {
  readonly cores: Cores;
  readonly isUp: boolean;
  /** How long the readers read before the attack. */
  readonly undisturbedMs: number;
  /** How long the attack lasts at least. It goes on until it is named, and each honest registry has run again. */
  readonly durationMs: number;
  /** How late an honest registry may be before the harness gives up. */
  readonly patienceMs: number;
  /** How long the harness waits until the cause is named. */
  readonly namedWithinMs: number;
  readonly lifetime: Lifetime;
  /** Called about once a second during the attack. */
  readonly onLook?: (memory: MemoryWatch, fleet: AttackedFleet) => void;
}

/** The settings for a machine that does nothing else. */
export const QUIET = {
  undisturbedMs: 5_000,
  durationMs: 30_000,
  patienceMs: PROMISES.lateMs,
  namedWithinMs: PROMISES.namedWithinMs,
} as const;

/** Attacks a new fleet with some scenarios at once, and returns what the harness saw. */
export async function runAttack(
  scenarios: readonly Scenario[],
  options: AttackOptions,
): Promise<Observations> {
  const { lifetime } = options;
  const attacked = await startAttacked(scenarios, options);
  const { fleet, honest, peaceful, upstreams, contextOf } = attacked;
  const paths = peaceful.map(({ name }) => `/registry/${name}/v0.1/servers?limit=30`);
  const readers = await startReaders({ apiUrl: fleet.apiUrl, paths }, lifetime);
  await sleep(options.undisturbedMs);
  const undisturbed = await readers.take();

  const memory = await watchMemory(fleet);
  lifetime.defer(() => memory.stop());
  const lateness = watchLateness(fleet, honest);
  lifetime.defer(() => lateness.stop());
  const hostile = new Map(
    scenarios.map((scenario) => [scenario, registriesOf(scenario, contextOf(scenario))]),
  );
  await fleet.config.replace({ registries: [...peaceful, ...[...hostile.values()].flat()] });
  const clients = await startClients(scenarios, fleet.apiUrl, lifetime);

  const beganAtMs = Date.now();
  const hasEnded = () => fleet.processes.some(({ handle }) => !handle.running);
  const look = async (isOver: () => Promise<boolean> | boolean) => {
    while (!hasEnded() && !(await isOver())) {
      options.onLook?.(memory, fleet);
      await sleep(LOOK_AGAIN_MS);
    }
  };
  await look(() => Date.now() - beganAtMs >= options.durationMs);
  const gained: string[] = [];
  for (const scenario of hasEnded() ? [] : scenarios) {
    const context = { ...contextOf(scenario), fleet, reports: upstreams.reports };
    gained.push(...(await inspect(scenario, context)));
  }
  const markedAtMs = Date.now();
  await look(
    () =>
      lateness.haveSucceededAfter(markedAtMs) ||
      Date.now() - markedAtMs > options.patienceMs + LOOK_AGAIN_MS,
  );
  const findAll = () => findNames({ fleet, hostile, clients, lifetime });
  let named: readonly Named[] | undefined;
  await look(async () => {
    named = await findAll();
    const isGivenUp = Date.now() - beganAtMs > options.namedWithinMs;
    return isGivenUp || named.every(({ isNamed }) => isNamed);
  });
  const { read, health } = await readers.take();
  const observations = {
    ended: howEnded(fleet),
    memory: memory.peaks(),
    latestMs: lateness.latestMs(),
    haveAllSucceeded: lateness.haveSucceededAfter(markedAtMs),
    undisturbed: undisturbed.read,
    reads: read,
    liveness: health,
    // If a process has ended, nothing more will be named.
    named: named ?? (await findAll()),
    gained,
  };
  // Before the fleet, so that nothing keeps the fleet from ending.
  await Promise.all([upstreams.stop(), clients.stop(), readers.stop()]);
  return observations;
}

/** Starts the servers of the attackers, and a fleet that has synced all honest registries. */
async function startAttacked(scenarios: readonly Scenario[], options: AttackOptions) {
  const { cores, isUp, lifetime } = options;
  const settings = scenarios.map(({ fleet = {} }) => fleet);
  const directory = await fleetDirectory(lifetime);
  const honest = await startHonestRegistries(lifetime);
  const libraryRows = Math.max(...settings.map((one) => one.libraryRows ?? 0));
  const library = libraryRows === 0 ? [] : [await writeLibrary(libraryRows, lifetime)];
  const upstreams = await startUpstreams(scenarios, lifetime);
  const contextOf = (scenario: Scenario): RegistriesContext => ({
    urls: upstreams.urlsOf(scenario),
    directory,
  });
  const peaceful = [...honest.config, ...library];
  const fleet = await startFleet({
    registries: peaceful,
    token: settings.some(({ token }) => token === 'none') ? 'none' : 'file',
    env: Object.assign(
      {},
      ...scenarios.map((scenario) => scenario.fleet?.env?.(contextOf(scenario))),
    ),
    redisSettings: Object.assign({}, ...settings.map(({ redis }) => redis)),
    isUp,
    cores,
    directory,
    lifetime,
  });
  const client = createApiClient({ url: fleet.apiUrl });
  for (const { name } of peaceful) await untilComplete(client, name);
  return { fleet, honest: honest.names, peaceful, upstreams, contextOf };
}

/** Returns the registries of a scenario. By default, each of its servers is an api. */
export function registriesOf(
  { registries }: Scenario,
  context: RegistriesContext,
): readonly RegistryInput[] {
  if (registries !== undefined) return registries(context);
  return Object.entries(context.urls).map(([name, endpoint]) => ({
    name,
    api: { endpoint },
    syncPolicy: { interval: '5s' },
  }));
}

async function inspect(scenario: Scenario, context: InspectContext): Promise<readonly string[]> {
  try {
    return (await scenario.inspect?.(context)) ?? [];
  } catch (error) {
    return [`the inspection failed: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function howEnded({ processes }: AttackedFleet): string[] {
  return processes
    .filter(({ handle }) => !handle.running)
    .map(({ role, handle }) => {
      const last = handle.output.lines.findLast((line) => /FATAL|[Ee]rror/.test(line)) ?? '';
      return `${role} ended: ${last.slice(0, 160)}`;
    });
}
