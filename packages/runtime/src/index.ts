export {
  type Env,
  type EnvVariable,
  envVariables,
  type ReadEnvOptions,
  readEnv,
} from './env/env.ts';
export { requireRedisUrl } from './env/require-redis-url.ts';
export { searchPath } from './env/search-path.ts';
export { isScreen } from './env/terminal.ts';
export { listen } from './http/listen.ts';
export { STATUS_CODES } from './http/node-http.ts';
export { SECURITY_HEADERS } from './http/security-headers.ts';
export { type Loop, type LoopOptions, startLoop } from './lifecycle/loop.ts';
export { type ProcessContext, type RunProcessOptions, runProcess } from './lifecycle/process.ts';
export { composeServices, type Readiness, readinessOf, type Service } from './lifecycle/service.ts';
export { FILE_CALL_THREADS } from './lifecycle/thread-pool.ts';
export { within } from './lifecycle/within.ts';
export {
  type CreateLoggerOptions,
  createLogger,
  type Logger,
  withoutCredentials,
} from './logger.ts';
export type { HttpRequestObservation } from './metrics/http-metrics.ts';
export { createMetrics, type Metrics } from './metrics/metrics.ts';
export type { AgesSource } from './metrics/scrape-metrics.ts';
export { VERSION } from './version.ts';
