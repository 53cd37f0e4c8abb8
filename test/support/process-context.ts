import {
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
  return {
    env: {
      ...readEnv({}),
      configPath: '/none',
      port: 0,
      logLevel: 'silent',
      concurrency: 1,
      heavyRuns: 1,
      dataDir: '/none',
      ...env,
    },
    logger: createLogger({ name, level: 'silent', pretty: false }),
    metrics: createMetrics(),
    memory: planMemory({ totalBytes: 2 * 1024 ** 3 }),
  };
}
