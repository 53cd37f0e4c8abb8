import type { Config, Logger, RecurringTask } from '@syncline/contract';
import type { Store } from '../stores/open-store.ts';
import { knownSince } from './known-since.ts';
import { wakeOverdue } from './overdue.ts';
import { sweep } from './sweep.ts';

/** How often the fleet looks for what was left undone. Together with the lease's 12 s, this is what a kill costs. */
const SWEEP_EVERY_MS = 4_000;

export interface SweeperOptions {
  readonly store: Pick<Store, 'redis' | 'keys' | 'queue' | 'owner' | 'config'>;
  readonly logger: Logger;
}

/** Wakes workers for what was left undone, whenever it is this process's turn. */
export function createSweeper({ store, logger }: SweeperOptions): RecurringTask {
  const { config } = store;
  const everyMs = SWEEP_EVERY_MS;
  let current: Config | undefined;
  let knownSinceMs: ReadonlyMap<string, number> = new Map();
  return {
    everyMs,
    async pass() {
      await config.refresh();
      const nowMs = performance.now();
      const registries = config.targets();
      const names = registries.map(({ name }) => name);
      if (config.current() !== current) {
        current = config.current();
        knownSinceMs = knownSince(knownSinceMs, { names, nowMs });
      }
      const wakeUps = await sweep({ ...store, registries: names, everyMs });
      if (wakeUps === undefined) return;
      const knownForMs = (name: string) => nowMs - (knownSinceMs.get(name) ?? nowMs);
      const overdue = await wakeOverdue({ ...store, registries, knownForMs, everyMs });
      if (wakeUps + overdue > 0) logger.info({ wakeUps, overdue }, 'swept up what was left undone');
    },
  };
}
