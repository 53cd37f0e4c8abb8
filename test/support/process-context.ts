import {
  createAccess,
  createLogger,
  createMetrics,
  type ProcessContext,
  planMemory,
  readEnv,
} from '@syncline/runtime';

/**
 * Returns the context for running a process of ours within a test. It logs nothing and uses free
 * ports.
 */
export function processContext(
  name: string,
  env: Pick<ProcessContext['env'], 'redisUrl' | 'prefix'> & Partial<ProcessContext['env']>,
): ProcessContext {
  const logger = createLogger({ name, level: 'silent', pretty: false });
  const wholeEnv = {
    ...readEnv({}),
    configPath: '/none',
    port: 0,
    logLevel: 'silent' as const,
    concurrency: 1,
    heavyRuns: 1,
    dataDir: '/none',
    ...env,
  };
  const access = createAccess({ env: wholeEnv, logger });
  const memory = planMemory({ totalBytes: 2 * 1024 ** 3 });
  return { env: wholeEnv, logger, metrics: createMetrics(), access, memory };
}
