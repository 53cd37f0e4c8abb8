import { relative } from 'node:path';
import { startApi } from '@syncline/api';
import { redisPlace } from '@syncline/contract';
import { openStore } from '@syncline/redis';
import {
  adminToken,
  composeServices,
  type ProcessContext,
  readinessOf,
  runProcess,
  type Service,
  VERSION,
} from '@syncline/runtime';
import { formatProblem, type LoadedConfig, loadConfig } from '@syncline/runtime/config';
import { CONFIG_CHECKS, startScheduler } from '@syncline/scheduler';
import { startWorker } from '@syncline/worker';
import type { Command } from 'commander';
import { envOptions, type StoreEnv } from '../environment.ts';
import { countedRegistries } from '../format/text.ts';
import { connectToRedis } from '../open-store.ts';
import { print } from '../output.ts';
import { reportError } from '../report-error.ts';
import { formatAddresses } from './addresses.ts';
import { provideAdminToken } from './admin-token.ts';
import { startEmbeddedRedis } from './embedded-redis/start-embedded-redis.ts';
import { startProgress } from './progress.ts';

/**
 * Starts all services in this process. On stop, the api stops first, so that it does not accept
 * requests that no worker would handle. Redis stops last. If one service fails to start, stops the
 * services that have started.
 *
 * @throws ConfigError before anything is started
 */
export async function startUp(context: ProcessContext): Promise<Service> {
  const loaded = await loadConfig(context.env.configPath, { checks: CONFIG_CHECKS });
  const registries = countedRegistries(loaded.config.registries.length);
  print(`Syncline ${VERSION} with ${registries} of ${relative('', loaded.path)}`);
  for (const warning of loaded.warnings) print(`warning: ${formatProblem(warning)}`);

  const started: Service[] = [];
  const start = async <Part extends Service>(starting: Promise<Part>): Promise<Part> => {
    const part = await starting;
    started.push(part);
    return part;
  };
  try {
    const env = await provideRedis(context, start);
    const contextWithRedis = { ...context, env };
    const tokenFile = await provideToken(context);
    await start(showProgress(contextWithRedis, loaded));
    // The api starts before the worker, because a registry may mirror a catalog of this same process.
    const api = await start(startApi(contextWithRedis));
    const scheduler = await start(startScheduler(contextWithRedis, { loaded }));
    const worker = await start(startWorker(withQuietRuns(contextWithRedis)));
    const host = env.hosts?.[0] ?? env.host;
    print(formatAddresses({ host, port: api.port, tokenFile, config: loaded.config }));
    const all = composeServices('up', started, { stopOrder: [api, scheduler, worker] });
    const stop = () => {
      print('Stopping');
      return all.stop();
    };
    return { ...all, stop };
  } catch (error) {
    await composeServices('up', started).stop();
    throw error;
  }
}

async function provideRedis(
  { env, logger }: ProcessContext,
  start: (starting: Promise<Service>) => Promise<Service>,
): Promise<StoreEnv> {
  const { redisUrl, dataDir } = env;
  if (redisUrl !== undefined) {
    print(`Using the Redis at ${redisPlace(redisUrl)}`);
    return { ...env, redisUrl };
  }
  print(`Starting Redis; its data is in ${dataDir}`);
  const redis = await startEmbeddedRedis({ dataDir, logger, storedBytes: env.storedBytes });
  await start(Promise.resolve(partOf('redis', redis.stop)));
  return { ...env, redisUrl: redis.url };
}

/** Returns the path of the file with the admin token. If the environment names no file, makes a token. */
async function provideToken({ env, access }: ProcessContext): Promise<string> {
  if (env.adminTokenFile !== undefined) return env.adminTokenFile;
  const tokenFile = await provideAdminToken(env.dataDir);
  access.tokens.follow(() => [adminToken(tokenFile)]);
  return tokenFile;
}

async function showProgress(
  { env, logger }: ProcessContext & { env: StoreEnv },
  { config }: LoadedConfig,
): Promise<Service> {
  const redis = await connectToRedis(env.redisUrl);
  const quietLogger = logger.child({}, { level: 'error' });
  const store = openStore({ redis, prefix: env.prefix, logger: quietLogger });
  const progress = await startProgress({
    config: async () => {
      await store.config.refresh();
      return store.config.current() ?? config;
    },
    reader: store.reader,
    runs: store.runs,
    print,
    onError: (error) => logger.debug({ err: error }, 'reading the progress failed'),
  });
  return partOf('progress', async () => {
    const stopped = progress.stop();
    await store.close();
    await stopped;
  });
}

/** Creates a service that is always ready. */
function partOf(name: string, stop: () => Promise<void>): Service {
  return { name, readiness: async () => readinessOf([]), stop };
}

/** Hides warnings about failed and held runs, because the progress output shows them too. */
function withQuietRuns(context: ProcessContext): ProcessContext {
  if (context.logger.level !== 'warn') return context;
  return { ...context, logger: context.logger.child({}, { level: 'error' }) };
}

/** Runs `syncline up` in this process, and ends the process as `runProcess` does. */
export async function runUp(program: Command): Promise<void> {
  await runProcess('up', startUp, {
    // The command prints its own lines, so by default the log has only warnings.
    env: { ...envOptions(program), defaults: { LOG_LEVEL: 'warn' } },
    reportFailure: reportError,
  });
}
