import type { Lifetime } from '../support/lifetime.ts';

/** One thing measured: of a baseline that does only what cannot be left out, and of Syncline. */
export interface Figure {
  readonly what: string;
  readonly unit: 'jobs/s' | 'ms' | 's' | 'MB' | 'KB' | 'processes' | 'files' | '%';
  readonly baseline?: number;
  readonly syncline?: number;
  /** What Syncline's figure is wanted to stay below. */
  readonly wantedBelow?: number;
}

export interface BenchmarkContext {
  /** Whatever the benchmark starts ends with this, in reverse order. */
  readonly lifetime: Lifetime;
  /** Says what is going on, on standard error. */
  readonly log: (line: string) => void;
}

export interface Benchmark {
  readonly name: string;
  /** One sentence: what is compared. */
  readonly about: string;
  run(context: BenchmarkContext): Promise<readonly Figure[]>;
}
