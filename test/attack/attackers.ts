import { z } from 'zod';
import type { Lifetime } from '../support/lifetime.ts';
import { type ProcessHandle, startProcess } from '../support/processes.ts';
import { ADMIN_TOKEN } from './contract.ts';
import { tallySchema } from './hostile/tally.ts';
import type { Scenario } from './scenario.ts';

const listeningSchema = z.looseObject({ urls: z.record(z.string(), z.string()) });

/** The hostile servers of a scenario. */
export interface HostileUpstreams {
  readonly urls: Readonly<Record<string, string>>;
  /** Returns the lines that the servers have printed. */
  reports(): readonly string[];
  stop(): Promise<void>;
}

export async function startUpstreams(
  { id }: Scenario,
  lifetime: Lifetime,
): Promise<HostileUpstreams> {
  const handle = await startProcess({
    name: `upstreams of ${id}`,
    entry: 'test/attack/processes/upstreams.ts',
    args: [id],
    lifetime,
  });
  const line = await handle.waitForLog(({ msg }) => msg === 'listening');
  return {
    urls: listeningSchema.parse(line).urls,
    reports: () => handle.output.lines,
    stop: () => end(handle),
  };
}

/** The hostile clients of a scenario. */
export interface HostileClients {
  /** Returns what the clients have got so far: the number of each answer. */
  answers(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

export async function startClients(
  { id }: Scenario,
  options: { readonly apiUrl: string; readonly localAddress: string },
  lifetime: Lifetime,
): Promise<HostileClients> {
  const handle = await startProcess({
    name: `clients of ${id}`,
    entry: 'test/attack/processes/clients.ts',
    args: [id, JSON.stringify({ token: ADMIN_TOKEN, ...options })],
    lifetime,
  });
  await handle.waitForLog(({ msg }) => msg === 'begun');
  return {
    answers: () => {
      const last = handle.output.logs.findLast(({ msg }) => msg === 'tally');
      return last === undefined ? {} : tallySchema.parse(last).answers;
    },
    stop: () => end(handle),
  };
}

async function end(handle: ProcessHandle): Promise<void> {
  if (handle.running) await handle.kill();
}
