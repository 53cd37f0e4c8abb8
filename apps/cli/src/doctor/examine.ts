import { type Config, redisPlace } from '@syncline/contract';
import type { StoreEnv } from '../environment.ts';
import { connectToRedis, createStore } from '../open-store.ts';
import { describeError } from '../report-error.ts';
import type { Store } from '../store.ts';
import { checkConfig, type InForceFacts } from './config-checks.ts';
import type { Finding } from './finding.ts';
import { checkMachine, observeFile, observeMachine } from './machine.ts';
import { observeClock, observeInForce, observeProcesses, observeServer } from './observe-redis.ts';
import { checkProcesses } from './process-checks.ts';
import { checkClock, checkRedis, unreachableRedis } from './redis-checks.ts';
import { askSources, checkSources } from './sources.ts';

export interface ExamineOptions {
  readonly env: StoreEnv;
  /** Whether the sources are asked, which reaches out to others. */
  readonly sources: boolean;
}

const SOURCE_TIMEOUT_MS = 15_000;
const SOURCE_CONCURRENCY = 8;

/** Looks at everything that a healthy system needs. What cannot be looked at is a finding, not an error. */
export async function examine({ env, sources }: ExamineOptions): Promise<Finding[]> {
  const file = await observeFile(env.configPath);
  const seen = await examineRedis(env);
  // The config in force is what workers go by; without it, what they would go by.
  const config = seen.config ?? file.config;
  const registries = config?.registries ?? [];
  const [machine, asked] = await Promise.all([
    observeMachine(env.dataDir, registries),
    sources && config !== undefined
      ? askSources(config, { env, timeoutMs: SOURCE_TIMEOUT_MS, concurrency: SOURCE_CONCURRENCY })
      : [],
  ]);
  return [
    ...seen.server,
    ...checkConfig(file.facts, seen.inForce),
    ...seen.processes,
    ...checkMachine(machine),
    ...checkSources(asked),
  ];
}

interface SeenInRedis {
  readonly server: readonly Finding[];
  readonly inForce: InForceFacts | undefined;
  readonly config: Config | undefined;
  readonly processes: readonly Finding[];
}

async function examineRedis(env: StoreEnv): Promise<SeenInRedis> {
  let server: Finding[] = [];
  try {
    const redis = await connectToRedis(env.redisUrl);
    const store = createStore({ env, redis, logLevel: 'silent' });
    try {
      server = [
        ...checkRedis(await observeServer(redis, redisPlace(env.redisUrl))),
        checkClock(await observeClock(redis)),
      ];
      return { server, ...(await examineStored(store)) };
    } finally {
      await store.close();
    }
  } catch (error) {
    const failed = unreachableRedis(describeError(error));
    return {
      server: [...server, failed],
      inForce: undefined,
      config: undefined,
      processes: [],
    };
  }
}

async function examineStored(store: Store): Promise<Omit<SeenInRedis, 'server'>> {
  const { facts: inForce, config } = await observeInForce(store);
  if (config === undefined) return { inForce, config, processes: [] };
  return { inForce, config, processes: checkProcesses(await observeProcesses(store, config)) };
}
