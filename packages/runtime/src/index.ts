export { registryProblems } from './config/check-registry.ts';
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
} from './config/load-config.ts';
export {
  ConfigError,
  type ConfigProblem,
  type ConfigWarning,
  formatProblem,
} from './config/problem.ts';
export { type WatchConfigOptions, watchConfig } from './config/watch-config.ts';
export {
  type FindRedisServerOptions,
  findRedisServer,
  type RedisServer,
} from './embedded-redis/find-redis-server.ts';
export { readRedisUrl } from './embedded-redis/redis-file.ts';
export {
  type RedisProcess,
  type RedisProcessOptions,
  type RedisSettings,
  startRedisProcess,
} from './embedded-redis/redis-process.ts';
export {
  type EmbeddedRedis,
  type EmbeddedRedisOptions,
  startEmbeddedRedis,
} from './embedded-redis/start-embedded-redis.ts';
export { type Env, type EnvVariable, envVariables, type ReadEnvOptions, readEnv } from './env.ts';
export {
  type CreateLoggerOptions,
  createLogger,
  type Logger,
  withoutCredentials,
} from './logger.ts';
export { type Loop, type LoopOptions, startLoop } from './loop.ts';
export { answerMalformedRequests } from './malformed-requests.ts';
export type { HttpRequestObservation } from './metrics/http-metrics.ts';
export { createMetrics, type Metrics } from './metrics/metrics.ts';
export type { AgesSource } from './metrics/scrape-metrics.ts';
export { type OpsServer, type OpsServerOptions, startOpsServer } from './ops-server.ts';
export { type ProcessContext, type RunProcessOptions, runProcess } from './process.ts';
export { requireRedisUrl } from './require-redis-url.ts';
export { searchPath } from './search-path.ts';
export { SECURITY_HEADERS } from './security-headers.ts';
export { composeServices, type Readiness, readinessOf, type Service } from './service.ts';
export { isScreen } from './terminal.ts';
export { FILE_CALL_THREADS } from './thread-pool.ts';
export { VERSION } from './version.ts';
export { within } from './within.ts';
