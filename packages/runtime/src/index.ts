export {
  alternativesOf,
  configJsonSchema,
  isDuration,
  itemSchema,
  type JsonSchema,
  propertiesOf,
  valueSchema,
} from './config/json-schema.ts';
export {
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
  parseConfig,
  registryProblems,
} from './config/load-config.ts';
export {
  ConfigError,
  type ConfigProblem,
  type ConfigWarning,
  formatProblem,
} from './config/problem.ts';
export { type WatchConfigOptions, watchConfig } from './config/watch-config.ts';
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
export {
  answerMalformedRequests,
  type OpsServer,
  type OpsServerOptions,
  SECURITY_HEADERS,
  startOpsServer,
} from './http/ops-server.ts';
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
export {
  type AgesSource,
  createMetrics,
  type HttpRequestObservation,
  type Metrics,
} from './metrics/metrics.ts';
export { VERSION } from './version.ts';
