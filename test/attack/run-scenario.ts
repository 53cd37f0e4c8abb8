import { setTimeout as sleep } from 'node:timers/promises';
import { createApiClient } from '../support/api-client.ts';
import type { Lifetime } from '../support/lifetime.ts';
import { untilComplete } from '../support/until-registry.ts';
import {
  type HostileClients,
  type HostileUpstreams,
  startClients,
  startUpstreams,
} from './attackers.ts';
import { CODES, PROMISES } from './contract.ts';
import type { Cores } from './cores.ts';
import { type AttackedFleet, fleetDirectory, startFleet } from './fleet.ts';
import { LIBRARY, startHonestRegistries, writeLibrary } from './honest.ts';
import type { RegistriesContext, RegistryInput, Scenario } from './scenario.ts';
import type { Named, Observations } from './verdict.ts';
import { doctorFindings, runEndings } from './watch/causes.ts';
import { watchLateness } from './watch/lateness.ts';
import { type MemoryWatch, watchMemory } from './watch/memory.ts';
import { startReaders } from './watch/readers.ts';

const HOSTILE_INTERVAL = '5s';
/** Readers use addresses of 127.0.0.0/24. */
const CLIENT_ADDRESS = '127.1.0.1';
const LOOK_AGAIN_MS = 1_000;

export interface RunOptions {
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

/** Attacks a new fleet, and returns what the harness saw. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Observations> {
  const { cores, isUp, lifetime } = options;
  const settings = scenario.fleet ?? {};
  const directory = await fleetDirectory(lifetime);
  const honest = await startHonestRegistries(lifetime);
  const library =
    settings.libraryRows === undefined ? [] : [await writeLibrary(settings.libraryRows, lifetime)];
  const peaceful = [...honest.config, ...library];
  const upstreams = await startUpstreams(scenario, lifetime);
  const context: RegistriesContext = { urls: upstreams.urls, directory };
  const fleet = await startFleet({
    registries: peaceful,
    settings,
    isUp,
    cores,
    context,
    lifetime,
  });
  const client = createApiClient({ url: fleet.apiUrl });
  for (const { name } of peaceful) await untilComplete(client, name);

  const paths = [...honest.names, ...library.map(() => LIBRARY)].map(
    (name) => `/registry/${name}/v0.1/servers?limit=30`,
  );
  const readers = await startReaders({ apiUrl: fleet.apiUrl, paths }, lifetime);
  await sleep(options.undisturbedMs);
  const undisturbed = await readers.take();

  const memory = await watchMemory(fleet);
  lifetime.defer(() => memory.stop());
  const lateness = watchLateness(fleet, honest.names);
  lifetime.defer(() => lateness.stop());
  const hostile = scenario.registries?.(context) ?? apiRegistries(upstreams.urls);
  await fleet.config.replace({ registries: [...peaceful, ...hostile] });
  const clients = await startClients(
    scenario,
    { apiUrl: fleet.apiUrl, localAddress: CLIENT_ADDRESS },
    lifetime,
  );

  const beganAtMs = Date.now();
  const hasEnded = () => fleet.processes.some(({ handle }) => !handle.running);
  const look = async (isOver: () => Promise<boolean> | boolean) => {
    while (!hasEnded() && !(await isOver())) {
      options.onLook?.(memory, fleet);
      await sleep(LOOK_AGAIN_MS);
    }
  };
  await look(() => Date.now() - beganAtMs >= options.durationMs);
  const gained = hasEnded()
    ? []
    : await inspect(scenario, { ...context, fleet, reports: upstreams.reports });
  const markedAtMs = Date.now();
  await look(
    () =>
      lateness.haveSucceededAfter(markedAtMs) ||
      Date.now() - markedAtMs > options.patienceMs + LOOK_AGAIN_MS,
  );
  let named: readonly Named[] = [];
  await look(async () => {
    named = await findNames(scenario, { fleet, hostile, clients, lifetime });
    const isGivenUp = Date.now() - beganAtMs > options.namedWithinMs;
    return isGivenUp || named.every(({ isNamed }) => isNamed);
  });
  const { read, health } = await readers.take();
  const haveAllSucceeded = lateness.haveSucceededAfter(markedAtMs);
  // A process that has ended names nothing any more, so the cause is looked for once.
  if (named.length === 0) named = await findNames(scenario, { fleet, hostile, clients, lifetime });
  const observations: Observations = {
    ended: howEnded(fleet),
    memory: memory.peaks(),
    latestMs: lateness.latestMs(),
    haveAllSucceeded,
    undisturbed: undisturbed.read,
    reads: read,
    liveness: health,
    named,
    gained,
  };
  await stopAll({ upstreams, clients, readers });
  return observations;
}

function apiRegistries(urls: Readonly<Record<string, string>>): RegistryInput[] {
  return Object.entries(urls).map(([name, endpoint]) => ({
    name,
    api: { endpoint },
    syncPolicy: { interval: HOSTILE_INTERVAL },
  }));
}

async function inspect(
  scenario: Scenario,
  context: Parameters<NonNullable<Scenario['inspect']>>[0],
): Promise<readonly string[]> {
  try {
    return (await scenario.inspect?.(context)) ?? [];
  } catch (error) {
    return [`the inspection failed: ${error instanceof Error ? error.message : String(error)}`];
  }
}

interface FindNamesOptions {
  readonly fleet: AttackedFleet;
  readonly hostile: readonly RegistryInput[];
  readonly clients: HostileClients;
  readonly lifetime: Lifetime;
}

/** Returns who names the cause: the runs of each hostile registry, `doctor`, and the answers to hostile clients. */
async function findNames(
  { cause }: Scenario,
  { fleet, hostile, clients, lifetime }: FindNamesOptions,
): Promise<readonly Named[]> {
  const { run = [], answer = [] } = cause;
  const named: Named[] = [];
  if (run.length > 0) {
    for (const { name } of hostile) {
      const found = await runEndings(fleet, name);
      named.push(nameIn(`runs of ${name}`, run, found));
    }
  }
  if (answer.length > 0) named.push(nameIn('answers', answer, Object.keys(clients.answers())));
  const failing = hostile.filter((_, index) =>
    named[index]?.found.some((ending) => Object.values<string>(CODES).includes(ending)),
  );
  const doctor = cause.doctor ?? failing.map(({ name }) => name);
  if (doctor.length > 0 && named.every(({ isNamed }) => isNamed)) {
    const found = await doctorFindings(fleet, lifetime);
    const isNamed = doctor.some((text) => found.some((finding) => finding.includes(text)));
    named.push({ by: 'doctor', expected: doctor, found, isNamed });
  }
  return named;
}

function nameIn(by: string, expected: readonly string[], found: readonly string[]): Named {
  return { by, expected, found, isNamed: expected.some((one) => found.includes(one)) };
}

function howEnded({ processes }: AttackedFleet): string[] {
  return processes
    .filter(({ handle }) => !handle.running)
    .map(({ role, handle }) => {
      const last = handle.output.lines.findLast((line) => /FATAL|Error|error/.test(line)) ?? '';
      return `${role} ended: ${last.slice(0, 160)}`;
    });
}

/** Ends the attackers before the fleet, so that the fleet can end. */
async function stopAll({
  upstreams,
  clients,
  readers,
}: {
  readonly upstreams: HostileUpstreams;
  readonly clients: HostileClients;
  readonly readers: { stop(): Promise<void> };
}): Promise<void> {
  await Promise.all([upstreams.stop(), clients.stop(), readers.stop()]);
}
