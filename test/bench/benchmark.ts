import type { Lifetime } from '../support/lifetime.ts';

/** One measurement: of a baseline that does only the unavoidable, and of Syncline. */
export interface Figure {
  readonly what: string;
  readonly unit: 'jobs/s' | 'ms' | 's' | 'MB' | 'KB' | 'processes' | 'files' | '%';
  readonly baseline?: number;
  readonly syncline?: number;
  /** The upper limit that Syncline's figure should stay below. */
  readonly wantedBelow?: number;
}

export interface BenchmarkContext {
  /** Ends everything that the benchmark starts, in reverse order. */
  readonly lifetime: Lifetime;
  /** Reports progress on standard error. */
  readonly log: (line: string) => void;
}

export interface Benchmark {
  readonly name: string;
  /** One sentence: what is compared. */
  readonly about: string;
  run(context: BenchmarkContext): Promise<readonly Figure[]>;
}
