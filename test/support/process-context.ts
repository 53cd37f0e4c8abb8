import { createLogger, createMetrics, type ProcessContext } from '@syncline/runtime';

/** Starts a process of ours within a test: it logs nothing, and takes any free port. */
export function processContext(
  name: string,
  env: Pick<ProcessContext['env'], 'redisUrl' | 'prefix'> & Partial<ProcessContext['env']>,
): ProcessContext {
  return {
    env: {
      configPath: '/none',
      host: '127.0.0.1',
      port: 0,
      logLevel: 'silent',
      concurrency: 1,
      heavyRuns: 1,
      dataDir: '/none',
      ...env,
    },
    logger: createLogger({ name, level: 'silent', pretty: false }),
    metrics: createMetrics(),
  };
}
