import { VERSION } from '../version.ts';
import { createHttpMetrics, type HttpMetrics } from './http-metrics.ts';
import { Gauge, Registry } from './prom-client.ts';
import { createRunMetrics, type RunMetrics } from './run-metrics.ts';
import { createScrapeMetrics, type ScrapeMetrics } from './scrape-metrics.ts';

/** The metrics of one process. None of the methods that record throws. */
export interface Metrics extends RunMetrics, HttpMetrics, ScrapeMetrics {
  /** All metrics in the text format of Prometheus. */
  expose(): Promise<{ contentType: string; body: string }>;
}

/** Metrics in a registry of their own, so that a process can have more than one set, as tests do. */
export function createMetrics(): Metrics {
  const register = new Registry();
  let processMetrics: Promise<void> | undefined;
  const addProcessMetrics = async () => {
    const { collectDefaultMetrics } = await import('prom-client');
    collectDefaultMetrics({ register });
  };
  new Gauge({
    name: 'syncline_build_info',
    help: 'Always 1; the label has the version.',
    labelNames: ['version'],
    registers: [register],
  }).set({ version: VERSION }, 1);
  return {
    ...createRunMetrics(register),
    ...createHttpMetrics(register),
    ...createScrapeMetrics(register),
    expose: async () => {
      // Those of the process itself are added by the first scrape: many processes never have one.
      processMetrics ??= addProcessMetrics();
      await processMetrics;
      return { contentType: register.contentType, body: await register.metrics() };
    },
  };
}
