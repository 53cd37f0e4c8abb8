import { HungWork } from './hung-work.ts';
import { PoisonIsolation } from './poison-isolation.ts';

/** State that the runs of one process share, so that no run blocks the others. */
export interface Capacity {
  readonly hungWork: HungWork;
  readonly isolation: PoisonIsolation;
}

const TURN_MS = 15_000;

/**
 * @param options.graceMs how long work has after its signal to end by itself; default 3,000
 * @param options.turnMs how long a run that may be poison excludes others of its kind; default 15,000
 */
export function createCapacity({
  graceMs,
  turnMs = TURN_MS,
}: {
  graceMs?: number;
  turnMs?: number;
} = {}): Capacity {
  return { hungWork: new HungWork({ graceMs }), isolation: new PoisonIsolation({ turnMs }) };
}
