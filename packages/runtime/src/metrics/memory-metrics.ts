import { Gauge, type Registry } from 'prom-client';

/** A part of a process that reports its memory. */
export interface MemorySource {
  /** The limit of the process, in bytes. */
  readonly limitBytes?: number;
  /** Returns the bytes that are reserved now, by use. */
  readonly reserved?: () => Readonly<Record<string, number>>;
  /** Returns the runs that wait for something of this process now, by what they wait for. */
  readonly waits?: () => Readonly<Record<string, RunWaits>>;
}

/** The runs that wait for the same thing. */
export interface RunWaits {
  readonly count: number;
  readonly longestMs: number;
}

/** Metrics about the memory of a process, and about the runs that wait. */
export interface MemoryMetrics {
  /** Asks the source at each scrape. Returns a function that removes the source. */
  onMemory(source: MemorySource): () => void;
}

export function createMemoryMetrics(register: Registry): MemoryMetrics {
  const sources = new Set<MemorySource>();
  const registers = [register];
  new Gauge({
    name: 'syncline_memory_limit_bytes',
    help: 'The limit of the resident memory of the process and its child processes.',
    registers,
    collect() {
      for (const { limitBytes } of sources) if (limitBytes !== undefined) this.set(limitBytes);
    },
  });
  new Gauge({
    name: 'syncline_memory_reserved_bytes',
    help: 'The memory that is reserved, by use.',
    labelNames: ['use'],
    registers,
    collect() {
      this.reset();
      for (const { reserved } of sources) {
        for (const [use, bytes] of Object.entries(reserved?.() ?? {})) this.set({ use }, bytes);
      }
    },
  });
  const waits = () => [...sources].flatMap((source) => Object.entries(source.waits?.() ?? {}));
  new Gauge({
    name: 'syncline_runs_waiting',
    help: 'The runs that wait, by what they wait for.',
    labelNames: ['for'],
    registers,
    collect() {
      this.reset();
      for (const [what, { count }] of waits()) this.set({ for: what }, count);
    },
  });
  new Gauge({
    name: 'syncline_longest_wait_seconds',
    help: 'How long the run has waited that has waited longest, by what it waits for.',
    labelNames: ['for'],
    registers,
    collect() {
      this.reset();
      for (const [what, { longestMs }] of waits()) this.set({ for: what }, longestMs / 1_000);
    },
  });
  return {
    onMemory: (source) => {
      sources.add(source);
      return () => sources.delete(source);
    },
  };
}
