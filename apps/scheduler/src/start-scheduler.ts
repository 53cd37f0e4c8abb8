import { connectRedis, createReconciler, openStore } from '@syncline/redis';
import {
  type Logger,
  type ProcessContext,
  readinessOf,
  requireRedisUrl,
  type Service,
  startLoop,
  within,
} from '@syncline/runtime';
import {
  formatProblem,
  type LoadedConfig,
  loadConfig,
  watchConfig,
} from '@syncline/runtime/config';
import { CONFIG_CHECKS } from './config-checks.ts';

const LAST_PASS_MS = 1_000;
/**
 * Starts a scheduler, which puts the config in force and keeps one Job Scheduler for each registry. Any number of
 * schedulers may run, and all do the same work. A scheduler never runs a registry itself.
 *
 * @param options.loaded the config file, if the caller has already loaded it and logged its warnings
 * @throws ConfigError for an invalid config file, before anything is changed
 */
export async function startScheduler(
  { env, logger, metrics, access }: ProcessContext,
  options: { readonly loaded?: LoadedConfig } = {},
): Promise<Service> {
  const url = requireRedisUrl(env);
  const loaded = options.loaded ?? (await loadAndLog(env.configPath, logger));
  const onError = ({ message }: Error) =>
    logger.warn({ reason: message }, 'redis connection failed');
  const redis = connectRedis({ url, manner: 'patient', onError });
  const store = openStore({ redis, prefix: env.prefix, storedBytes: env.storedBytes, logger });
  const reconciler = createReconciler({ store, logger, metrics });
  reconciler.adopt(loaded);
  let { tokens } = loaded.config.access;
  access.tokens.follow(() => tokens);
  const loop = startLoop({
    ...reconciler,
    onError: (error) => logger.warn({ err: error }, 'schedule reconciliation failed'),
  });
  // After a restart, Redis may be empty. Without this call, the next pass could be 30 s away.
  redis.on('ready', () => loop.wake());

  const watcher = watchConfig({
    path: env.configPath,
    checks: CONFIG_CHECKS,
    knownDigest: loaded.digest,
    onChange: (changed) => {
      logger.info({ digest: changed.digest }, 'the config file has changed');
      logWarnings(logger, changed);
      reconciler.adopt(changed);
      ({ tokens } = changed.config.access);
      loop.wake();
    },
    onError: ({ code, message }) =>
      logger.error(
        { code, problems: message.split('\n') },
        'config file rejected; the previous config stays in force',
      ),
  });

  return {
    name: 'scheduler',
    readiness: async () =>
      readinessOf([
        ...(redis.status === 'ready' ? [] : [`Redis is ${redis.status}`]),
        ...(reconciler.hasPassed() ? [] : ['the schedules have not been reconciled yet']),
      ]),
    stop: async () => {
      await watcher.stop();
      const ended = loop.stop();
      await store.close();
      // While Redis is unavailable, a pass never ends. Ending it early loses nothing.
      await within(LAST_PASS_MS, ended).catch(() => undefined);
    },
  };
}

async function loadAndLog(path: string, logger: Logger): Promise<LoadedConfig> {
  const loaded = await loadConfig(path, { checks: CONFIG_CHECKS });
  logWarnings(logger, loaded);
  return loaded;
}

function logWarnings(logger: Logger, { path, warnings }: LoadedConfig): void {
  for (const warning of warnings) logger.warn({ path }, formatProblem(warning));
}
