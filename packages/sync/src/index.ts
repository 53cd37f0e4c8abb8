export { type CronSchedule, lastFiringMs, nextFiringMs } from './decide/cron.ts';
export { filterHash, sourceHash } from './decide/should-sync.ts';
export type { Operations } from './operations/operations.ts';
export type { Manager } from './perform/manager.ts';
export type { PreviewDependencies, PreviewRequest } from './perform/preview.ts';
export type { ConfigSource } from './ports/config-source.ts';
export type { OperatorStore } from './ports/operator-store.ts';
export type { CheckContext, RunContext } from './ports/run-context.ts';
export {
  type AcquireOptions,
  type Acquisition,
  type Finished,
  type LeasePurpose,
  POISON_AFTER_STARTS,
  type Renewal,
  type RunEnding,
  type RunStore,
} from './ports/run-store.ts';
export type { StatusPersistence } from './ports/status-persistence.ts';
export type {
  FollowUp,
  Ran,
  Tick,
  TickHandler,
  TickResult,
  TickSource,
} from './ports/tick-source.ts';
export { dependentsOf } from './run/finish.ts';
