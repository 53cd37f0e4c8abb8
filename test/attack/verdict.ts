import { quantile } from '../bench/measure/statistics.ts';
import { PROMISES } from './contract.ts';
import type { MemoryUse } from './watch/memory.ts';

/** What the harness saw during one attack. */
export interface Observations {
  /** The processes that ended, and how. */
  readonly ended: readonly string[];
  readonly memory: readonly MemoryUse[];
  /** The longest time by which an honest registry was later than its interval. */
  readonly latestMs: number;
  /** Whether each honest registry succeeded again after the attack had lasted its whole time. */
  readonly haveAllSucceeded: boolean;
  /** Latencies of readers before and during the attack. `null`: there was no good answer. */
  readonly undisturbed: readonly (number | null)[];
  readonly reads: readonly (number | null)[];
  readonly liveness: readonly (number | null)[];
  /** Everything that should name the cause of the attack, and whether it does. */
  readonly named: readonly Named[];
  /** What an attacker got and must not get. */
  readonly gained: readonly string[];
}

export interface Named {
  /** Such as `runs of big`. */
  readonly by: string;
  readonly expected: readonly string[];
  readonly found: readonly string[];
  readonly isNamed: boolean;
}

export interface Fault {
  readonly promise: 'lives' | 'memory' | 'on time' | 'readers' | 'liveness' | 'cause' | 'access';
  readonly found: string;
}

/** Which promises a test checks. Times and sizes are only meaningful on a machine that does nothing else. */
export interface JudgeOptions {
  readonly isTimed: boolean;
}

/** Returns every promise that an attack broke. */
export function judge(
  observed: Observations,
  { isTimed }: JudgeOptions = { isTimed: true },
): readonly Fault[] {
  return [
    ...observed.ended.map((how): Fault => ({ promise: 'lives', found: how })),
    ...(isTimed ? [...judgeMemory(observed), ...judgeReaders(observed)] : []),
    ...judgeLateness(observed, isTimed),
    ...observed.named.filter(({ isNamed }) => !isNamed).map(unnamed),
    ...observed.gained.map((what): Fault => ({ promise: 'access', found: what })),
  ];
}

function judgeMemory({ memory }: Observations): Fault[] {
  return memory
    .filter(({ peakBytes, limitBytes }) => peakBytes > limitBytes * (1 + PROMISES.memoryTolerance))
    .map(({ role, peakBytes, limitBytes }) => ({
      promise: 'memory',
      found: `${role} used ${megabytes(peakBytes)} MB of ${megabytes(limitBytes)} MB`,
    }));
}

function judgeLateness({ latestMs, haveAllSucceeded }: Observations, isTimed: boolean): Fault[] {
  const faults: Fault[] = [];
  if (isTimed && latestMs > PROMISES.lateMs) {
    const found = `an honest registry was ${Math.round(latestMs / 1_000)} s late`;
    faults.push({ promise: 'on time', found });
  }
  if (!haveAllSucceeded) {
    faults.push({ promise: 'on time', found: 'an honest registry did not run again' });
  }
  return faults;
}

function judgeReaders({ undisturbed, reads, liveness }: Observations): Fault[] {
  const limitMs = Math.max(PROMISES.readFactor * p99(undisturbed), PROMISES.readMs);
  const faults: Fault[] = [];
  if (p99(reads) > limitMs) {
    faults.push({
      promise: 'readers',
      found: `p99 of reads is ${milliseconds(p99(reads))}, limit ${milliseconds(limitMs)}`,
    });
  }
  if (p99(liveness) > PROMISES.livenessMs) {
    faults.push({ promise: 'liveness', found: `p99 of /health is ${milliseconds(p99(liveness))}` });
  }
  return faults;
}

function unnamed({ by, expected, found }: Named): Fault {
  const seen = found.length === 0 ? 'nothing' : found.join(', ');
  return { promise: 'cause', found: `${by}: expected ${expected.join(' or ')}, found ${seen}` };
}

/** Returns the 99th percentile. A missing answer took forever. No requests at all: 0. */
export function p99(latencies: readonly (number | null)[]): number {
  if (latencies.length === 0) return 0;
  return quantile(
    latencies.map((latency) => latency ?? Infinity),
    0.99,
  );
}

export function megabytes(bytes: number): number {
  return Math.round(bytes / 1_024 ** 2);
}

export function milliseconds(value: number): string {
  return Number.isFinite(value) ? `${Math.round(value)} ms` : 'no answer';
}
