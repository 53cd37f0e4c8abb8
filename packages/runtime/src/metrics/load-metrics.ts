import type { Registry } from 'prom-client';
import { Counter, Gauge } from 'prom-client';

/** The load of an api at one moment. The counters start at 0 with the process. */
export interface LoadFigures {
  /** The requests by class. */
  readonly classes: Readonly<
    Record<string, { readonly active: number; readonly waiting: number; readonly refused: number }>
  >;
  /** The answers that wait for slow readers, and how many of them were cut. */
  readonly unsent: { readonly bytes: number; readonly cut: number };
  readonly cache: {
    readonly bytes: number;
    readonly maxBytes: number;
    readonly hits: number;
    readonly coldReads: number;
  };
}

/** Metrics about the load of an api. */
export interface LoadMetrics {
  /**
   * Asks `source` at each scrape.
   *
   * @returns a function that removes the source
   */
  onLoadScrape(source: () => LoadFigures): () => void;
}

export function createLoadMetrics(register: Registry): LoadMetrics {
  const sources = new Set<() => LoadFigures>();
  const figures = () => [...sources].map((source) => source());

  /** Adds a metric whose value is read at each scrape. */
  const add = (
    Metric: typeof Counter | typeof Gauge,
    name: string,
    help: string,
    readValue: (load: LoadFigures) => number,
  ) =>
    new Metric({
      name: `syncline_${name}`,
      help,
      registers: [register],
      collect() {
        this.reset();
        for (const load of figures()) this.inc(readValue(load));
      },
    });
  const addByClass = (
    Metric: typeof Counter<'class'> | typeof Gauge<'class'>,
    name: string,
    help: string,
    readValue: (requests: LoadFigures['classes'][string]) => number,
  ) =>
    new Metric({
      name: `syncline_${name}`,
      help,
      labelNames: ['class'],
      registers: [register],
      collect() {
        this.reset();
        for (const { classes } of figures()) {
          for (const [className, requests] of Object.entries(classes)) {
            this.inc({ class: className }, readValue(requests));
          }
        }
      },
    });

  addByClass(
    Counter,
    'http_requests_refused_total',
    'Requests refused because too many requests were waiting.',
    ({ refused }) => refused,
  );
  addByClass(
    Gauge,
    'http_requests_waiting',
    'Requests that wait for a slot.',
    ({ waiting }) => waiting,
  );
  addByClass(Gauge, 'http_requests_active', 'Requests that have a slot.', ({ active }) => active);
  add(
    Gauge,
    'http_unsent_bytes',
    'Bytes of answers that wait for slow readers.',
    ({ unsent }) => unsent.bytes,
  );
  add(
    Counter,
    'http_slow_readers_cut_total',
    'Connections closed because their readers were too slow.',
    ({ unsent }) => unsent.cut,
  );
  add(
    Gauge,
    'cache_bytes',
    'An estimate of the memory of cached rows.',
    ({ cache }) => cache.bytes,
  );
  add(Gauge, 'cache_limit_bytes', 'The limit for cached rows.', ({ cache }) => cache.maxBytes);
  add(
    Counter,
    'cache_hits_total',
    'Chunks of rows that were in the cache.',
    ({ cache }) => cache.hits,
  );
  add(
    Counter,
    'cache_cold_reads_total',
    'Chunks of rows that were read from Redis.',
    ({ cache }) => cache.coldReads,
  );
  return {
    onLoadScrape: (source) => {
      sources.add(source);
      return () => sources.delete(source);
    },
  };
}
