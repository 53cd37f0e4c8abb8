import type { Registry as PrometheusRegistry } from 'prom-client';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { within } from '../lifecycle/loop.ts';
import { VERSION } from '../version.ts';
import { createLoadMetrics, type LoadMetrics } from './load-metrics.ts';
import { createMemoryMetrics, type MemoryMetrics } from './memory-metrics.ts';
import { createRunMetrics, type RunMetrics } from './run-metrics.ts';

/** A request whose response has been sent. */
export interface HttpRequestObservation {
  readonly method: string;
  /** The pattern of the route, such as `/v1/registries/{name}`, never the requested path. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

/** Metrics about the responses of the api. */
export interface HttpMetrics {
  httpRequest(observation: HttpRequestObservation): void;
}

function createHttpMetrics(register: PrometheusRegistry): HttpMetrics {
  const durations = new Histogram({
    name: 'syncline_http_request_duration_seconds',
    help: 'How long the api took to answer requests.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers: [register],
  });
  return {
    httpRequest: ({ method, route, status, durationMs }) =>
      durations.observe({ method, route, status: String(status) }, durationMs / 1_000),
  };
}

/** The metrics of one process. The methods that record values never throw. */
export interface Metrics
  extends RunMetrics,
    HttpMetrics,
    ScrapeMetrics,
    LoadMetrics,
    MemoryMetrics {
  /** Returns all metrics in the text format of Prometheus. */
  expose(): Promise<{ contentType: string; body: string }>;
}

/** Creates metrics with their own Prometheus registry, so that one process can have several sets, as tests do. */
export function createMetrics(): Metrics {
  const register = new Registry();
  let processMetrics: Promise<void> | undefined;
  const addProcessMetrics = async () => {
    const { collectDefaultMetrics } = await import('prom-client');
    collectDefaultMetrics({ register });
  };
  const expose = async () => {
    // Adds the metrics of the process itself at the first scrape, because many processes are never scraped.
    processMetrics ??= addProcessMetrics();
    await processMetrics;
    return { contentType: register.contentType, body: await register.metrics() };
  };
  /** Concurrent scrapes share one reading, because each one reads the state of all registries. */
  let exposing: ReturnType<typeof expose> | undefined;
  new Gauge({
    name: 'syncline_build_info',
    help: 'Always 1. The label has the version.',
    labelNames: ['version'],
    registers: [register],
  }).set({ version: VERSION }, 1);
  return {
    ...createRunMetrics(register),
    ...createHttpMetrics(register),
    ...createScrapeMetrics(register),
    ...createLoadMetrics(register),
    ...createMemoryMetrics(register),
    expose: () => {
      exposing ??= expose().finally(() => {
        exposing = undefined;
      });
      return exposing;
    },
  };
}

/** Returns the age of each registry's copy, in seconds, keyed by the name of the registry. */
export type AgesSource = () => Promise<ReadonlyMap<string, number>>;

export interface StoredBytesSource {
  /** Returns the bytes that each registry stores, keyed by the name of the registry. */
  readonly registries: () => Promise<ReadonlyMap<string, number>>;
  /** Returns the most bytes of all registries. */
  readonly limit: () => Promise<number>;
}

/**
 * Less than Prometheus's default timeout of ten seconds. After that timeout, Prometheus would have no metrics from
 * this process.
 */
const SOURCE_TIMEOUT_MS = 2_000;

/**
 * Metrics whose values are read at each scrape. If a source fails or takes more than two seconds, its values are
 * omitted, and `syncline_scrape_errors_total` counts the failure. Each method returns a function that removes the source.
 */
export interface ScrapeMetrics {
  /** Asks `source` at each scrape for the age of each registry's copy. */
  onScrape(source: AgesSource): () => void;
  /** Asks `source` at each scrape for the stored bytes. */
  onScrapeOfStoredBytes(source: StoredBytesSource): () => void;
}

function createScrapeMetrics(register: PrometheusRegistry): ScrapeMetrics {
  const registers = [register];
  const labelNames = ['registry'] as const;
  const errors = new Counter({
    name: 'syncline_scrape_errors_total',
    help: 'Scrapes that could not read all values.',
    registers,
  });
  const ages = createSources<ReadonlyMap<string, number>>();
  new Gauge({
    name: 'syncline_registry_age_seconds',
    help: 'Seconds since a check or a sync of the registry last succeeded.',
    labelNames,
    registers,
    async collect() {
      // A removed registry must not keep its last age.
      this.reset();
      await ages.read(errors, (found) => {
        for (const [registry, ageSeconds] of found) this.set({ registry }, ageSeconds);
      });
    },
  });
  const limits = createSources<number>();
  new Gauge({
    name: 'syncline_stored_bytes_limit',
    help: 'The most bytes that the snapshots of all registries may take in Redis.',
    registers,
    async collect() {
      this.reset();
      await limits.read(errors, (limit) => this.set(limit));
    },
  });
  const storedBytes = createSources<ReadonlyMap<string, number>>();
  new Gauge({
    name: 'syncline_stored_bytes',
    help: 'Bytes that the snapshots of the registry take in Redis.',
    labelNames,
    registers,
    async collect() {
      this.reset();
      await storedBytes.read(errors, (found) => {
        for (const [registry, bytes] of found) this.set({ registry }, bytes);
      });
    },
  });
  return {
    onScrape: ages.add,
    onScrapeOfStoredBytes: ({ registries, limit }) => {
      const forget = [storedBytes.add(registries), limits.add(limit)];
      return () => {
        for (const it of forget) it();
      };
    },
  };
}

function createSources<Values>() {
  type Source = () => Promise<Values>;
  const sources = new Set<Source>();
  return {
    add(source: Source): () => void {
      sources.add(source);
      return () => sources.delete(source);
    },
    async read(errors: Counter, take: (found: Values) => void) {
      for (const source of sources) {
        try {
          take(await within(SOURCE_TIMEOUT_MS, source()));
        } catch {
          errors.inc();
        }
      }
    },
  };
}
