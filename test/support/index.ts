export {
  type AllServersOptions,
  type ApiAnswer,
  type ApiClient,
  createApiClient,
  type Registry,
} from './api-client.ts';
export { compareBytes } from './byte-order.ts';
export { allowingLocalTargets, type ConfigFile, replaceFile, writeConfig } from './config.ts';
export { type Lifetime, suiteLifetime, testLifetime } from './lifetime.ts';
export { OPS_ENV, opsUrl, readMetrics, type Samples, sumOf } from './ops.ts';
export { freePort } from './ports.ts';
export { processContext } from './process-context.ts';
export type { LogLine } from './processes/output.ts';
export {
  type Exit,
  type ProcessHandle,
  type StartProcessOptions,
  startProcess,
} from './processes.ts';
export { nodeBinary, projectRoot } from './project.ts';
export { connect, freshPrefix, keysOf, redisUrl, type TestRedis, testRedis } from './redis.ts';
export { type RedisServerHandle, startRedisServer } from './redis-server.ts';
export { type RegistryFile, writeRegistryFile } from './registry-file.ts';
export { ask } from './replicated-redis/ask.ts';
export {
  type ReplicatedRedis,
  type ReplicatedRedisOptions,
  startReplicatedRedis,
} from './replicated-redis.ts';
export * from './rows.ts';
export { runCommand } from './run-command.ts';
export { type AnswerRequest, type ScriptedServer, startScriptedServer } from './scripted-server.ts';
export { PROGRAMS, type Program, type System, startSystem, waitUntilReady } from './system.ts';
export { temporaryDirectory } from './temporary.ts';
export { type See, until } from './until.ts';
export { untilComplete, untilRegistry, untilRun } from './until-registry.ts';
export * from './upstream.ts';
export { startUpstreamProcess, type UpstreamProcess } from './upstream-process.ts';
