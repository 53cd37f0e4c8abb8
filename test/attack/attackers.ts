import { z } from 'zod';
import type { Lifetime } from '../support/lifetime.ts';
import { type ProcessHandle, startProcess } from '../support/processes.ts';
import { ADMIN_TOKEN } from './contract.ts';
import type { Scenario } from './scenario.ts';

/** Readers use addresses of 127.0.0.0/24. */
const CLIENT_ADDRESS = '127.1.0.1';

const listeningSchema = z.looseObject({
  urls: z.record(z.string(), z.record(z.string(), z.string())),
});
const talliesSchema = z.looseObject({
  answers: z.record(z.string(), z.record(z.string(), z.int())),
});

/** The hostile servers of some scenarios. */
export interface HostileUpstreams {
  /** Returns the URLs of a scenario's servers, by name. */
  urlsOf(scenario: Scenario): Readonly<Record<string, string>>;
  /** Returns the lines that the servers have printed. */
  reports(): readonly string[];
  stop(): Promise<void>;
}

export async function startUpstreams(
  scenarios: readonly Scenario[],
  lifetime: Lifetime,
): Promise<HostileUpstreams> {
  const handle = await startProcess({
    name: 'hostile upstreams',
    entry: 'test/attack/processes/upstreams.ts',
    args: scenarios.map(({ id }) => id),
    lifetime,
  });
  const { urls } = listeningSchema.parse(await handle.waitForLog(({ msg }) => msg === 'listening'));
  return {
    urlsOf: ({ id }) => urls[id] ?? {},
    reports: () => handle.output.lines,
    stop: () => end(handle),
  };
}

/** The hostile clients of some scenarios. */
export interface HostileClients {
  /** Returns the kinds of answers that a scenario's clients have got so far. */
  answersTo(scenario: Scenario): readonly string[];
  stop(): Promise<void>;
}

export async function startClients(
  scenarios: readonly Scenario[],
  apiUrl: string,
  lifetime: Lifetime,
): Promise<HostileClients> {
  const options = { token: ADMIN_TOKEN, apiUrl, localAddress: CLIENT_ADDRESS };
  const handle = await startProcess({
    name: 'hostile clients',
    entry: 'test/attack/processes/clients.ts',
    args: [JSON.stringify(options), ...scenarios.map(({ id }) => id)],
    lifetime,
  });
  await handle.waitForLog(({ msg }) => msg === 'begun');
  return {
    answersTo: ({ id }) => {
      const last = handle.output.logs.findLast(({ msg }) => msg === 'tallies');
      const { answers } = talliesSchema.parse(last ?? { answers: {} });
      return Object.keys(answers[id] ?? {});
    },
    stop: () => end(handle),
  };
}

async function end(handle: ProcessHandle): Promise<void> {
  if (handle.running) await handle.kill();
}
