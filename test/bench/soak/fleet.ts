import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ConfigInput } from '@syncline/contract';
import type { ApiClient } from '../../support/api-client.ts';
import type { Lifetime } from '../../support/lifetime.ts';
import { OPS_ENV, opsUrl } from '../../support/ops.ts';
import type { ProcessHandle } from '../../support/processes.ts';
import type { RedisServerHandle } from '../../support/redis-server.ts';
import { type Program, startSystem } from '../../support/system.ts';

const COLLECTOR = pathToFileURL(path.join(import.meta.dirname, 'collect-garbage.ts')).href;

/** A place in the fleet, where one process follows another. */
export interface Place {
  readonly name: string;
  readonly program: Program;
  /** Of the current process. */
  readonly pid: number;
  readonly opsUrl: string;
}

/** The processes of a whole Syncline. They can be killed and are replaced. */
export interface Fleet {
  readonly prefix: string;
  readonly client: ApiClient;
  readonly places: readonly Place[];
  /** Kills the process at a place, and starts another one there. */
  replace(name: string): Promise<void>;
  /** Returns how many log lines of all processes say this, including ended ones. */
  countLogs(message: string): number;
}

export async function startFleet({
  config,
  redis,
  workers,
  lifetime,
}: {
  readonly config: ConfigInput;
  readonly redis: RedisServerHandle;
  readonly workers: number;
  readonly lifetime: Lifetime;
}): Promise<Fleet> {
  const system = await startSystem({
    config,
    redisUrl: redis.url,
    workers,
    env: { ...OPS_ENV, LOG_LEVEL: 'info', NODE_OPTIONS: `--import ${COLLECTOR}` },
    lifetime,
  });
  const { schedulers, api, apiUrl } = system;
  const started: ProcessHandle[] = [...schedulers, ...system.workers, api];
  const settle = async (process: ProcessHandle, program: Program) => ({
    name: process.name,
    program,
    process,
    pid: process.pid,
    opsUrl: await opsUrl(process),
  });
  const places = await Promise.all([
    ...schedulers.map((process) => settle(process, 'scheduler')),
    ...system.workers.map((process) => settle(process, 'worker')),
    settle(api, 'api'),
  ]);
  return {
    prefix: system.prefix,
    client: system.client,
    places,
    replace: async (name) => {
      const index = places.findIndex((place) => place.name === name);
      const place = places[index];
      if (place === undefined) throw new Error(`there is no ${name}`);
      const { program } = place;
      await place.process.kill();
      const env = program === 'api' ? { PORT: new URL(apiUrl).port } : {};
      const process = await system.start(program, { name, env });
      started.push(process);
      places[index] = await settle(process, program);
    },
    countLogs: (message) =>
      started.reduce(
        (sum, { output }) => sum + output.logs.filter(({ msg }) => msg === message).length,
        0,
      ),
  };
}
