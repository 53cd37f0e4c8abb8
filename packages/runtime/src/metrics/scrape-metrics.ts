import type { Registry } from 'prom-client';
import { within } from '../lifecycle/within.ts';
import { Counter, Gauge } from './prom-client.ts';

/** Tells the age of each registry's copy, in seconds, by its name. */
export type AgesSource = () => Promise<ReadonlyMap<string, number>>;

/** A scrape of Prometheus gives up after ten seconds, by default, and then has nothing at all. */
const SOURCE_TIMEOUT_MS = 2_000;

/** What is looked up when someone asks for it. */
export interface ScrapeMetrics {
  /**
   * At each scrape asks `source` for the age of each registry's copy, in seconds. A source that fails,
   * or takes more than two seconds, is left out and counted in `syncline_scrape_errors_total`.
   *
   * @returns a function that takes the source away again
   */
  onScrape(source: AgesSource): () => void;
}

export function createScrapeMetrics(register: Registry): ScrapeMetrics {
  const sources = new Set<AgesSource>();
  const errors = new Counter({
    name: 'syncline_scrape_errors_total',
    help: 'Scrapes that could not look everything up.',
    registers: [register],
  });
  new Gauge({
    name: 'syncline_registry_age_seconds',
    help: 'Seconds since a check or a sync of the registry last succeeded.',
    labelNames: ['registry'],
    registers: [register],
    async collect() {
      // A registry that is gone must not keep its last age.
      this.reset();
      for (const source of sources) {
        try {
          const ages = await within(SOURCE_TIMEOUT_MS, source());
          for (const [registry, ageSeconds] of ages) this.set({ registry }, ageSeconds);
        } catch {
          errors.inc();
        }
      }
    },
  });
  return {
    onScrape: (source) => {
      sources.add(source);
      return () => sources.delete(source);
    },
  };
}
