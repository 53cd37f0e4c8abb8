import { type Config, redisPlace } from '@syncline/contract';
import type { StoreEnv } from '../environment.ts';
import { connectToRedis, createStore } from '../open-store.ts';
import { describeError } from '../report-error.ts';
import { checkConfigFile, checkInForce, observeInForce } from './config.ts';
import { type Finding, problem, runChecks, toFinding } from './finding.ts';
import { checkMachine } from './machine.ts';
import { observeProcesses, PROCESS_CHECKS } from './processes.ts';
import { observeRedis, REDIS_CHECKS } from './redis.ts';
import { checkSources } from './sources.ts';

export interface ExamineOptions {
  readonly env: StoreEnv;
  /** Whether to check the sources too, which sends requests to upstreams. */
  readonly sources: boolean;
}

const SOURCE_TIMEOUT_MS = 15_000;

/** Checks everything that a working system needs. A failed check is a finding, not an error. */
export async function examine({ env, sources }: ExamineOptions): Promise<Finding[]> {
  const file = await checkConfigFile(env.configPath);
  // Workers use the config in force. Before the first one is stored, check the registries of the config file.
  const { server, stored, config = file.config } = await examineRedis(env, file.digest);
  const [machine, asked] = await Promise.all([
    checkMachine(env.dataDir, config?.registries ?? []),
    sources && config !== undefined
      ? checkSources(config, { env, timeoutMs: SOURCE_TIMEOUT_MS })
      : [],
  ]);
  return [...server, file.finding, ...stored, ...machine, ...asked];
}

/**
 * Checks Redis and the data in it. If Redis stops answering, returns the findings up to that point.
 */
async function examineRedis(env: StoreEnv, digestHere: string | undefined) {
  const server: Finding[] = [];
  const stored: Finding[] = [];
  let config: Config | undefined;
  try {
    const redis = await connectToRedis(env.redisUrl);
    const store = createStore(env, redis, { logLevel: 'silent' });
    try {
      const facts = await observeRedis(store, redisPlace(env.redisUrl));
      server.push(...runChecks(REDIS_CHECKS, facts));
      const inForce = checkInForce(await observeInForce(store), digestHere);
      stored.push(toFinding('config in force', inForce));
      config = store.config.current();
      if (config !== undefined) {
        stored.push(...runChecks(PROCESS_CHECKS, await observeProcesses(store)));
      }
    } finally {
      await store.close();
    }
  } catch (error) {
    const unreachable = problem({
      found: describeError(error),
      why: 'without Redis, Syncline cannot sync, serve or control registries',
      advice: 'Start Redis, or set REDIS_URL to its address.',
    });
    server.push(toFinding('redis', unreachable));
  }
  return { server, stored, config };
}
