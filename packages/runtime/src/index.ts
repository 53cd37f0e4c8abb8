export * from './access/index.ts';
export {
  type Env,
  type EnvVariable,
  envVariables,
  isScreen,
  type ReadEnvOptions,
  readEnv,
  requireRedisUrl,
  searchPath,
} from './env/env.ts';
export type { Arrivals } from './http/client-address.ts';
export { listen, SECURITY_HEADERS } from './http/listen.ts';
export { type Loop, type LoopOptions, startLoop, within } from './lifecycle/loop.ts';
export { type ProcessContext, type RunProcessOptions, runProcess } from './lifecycle/process.ts';
export { composeServices, type Readiness, readinessOf, type Service } from './lifecycle/service.ts';
export { FILE_CALL_THREADS } from './lifecycle/thread-pool.ts';
export {
  type CreateLoggerOptions,
  createLogger,
  type Logger,
  withoutCredentials,
} from './logger.ts';
export { type MemoryPlan, planMemory } from './memory/memory-plan.ts';
export {
  type AgesSource,
  createMetrics,
  type HttpRequestObservation,
  type Metrics,
} from './metrics/metrics.ts';
export { VERSION } from './version.ts';
