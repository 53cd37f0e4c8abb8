import { setTimeout as sleep } from 'node:timers/promises';
import { SynclineError } from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';
import type { RunContext } from '../ports/run-context.ts';
import type { Finished, RunEnding } from '../ports/run-store.ts';
import type { SyncDependencies } from './sync-dependencies.ts';

const FIRST_RETRY_DELAY_MS = 100;
const LONGEST_RETRY_DELAY_MS = 1_000;

/**
 * Writes how a run ended, and frees its lease. A write that fails is tried again as long as the lease
 * may last; after that another run has the say, and this one's ending is lost.
 *
 * @throws the last error, where none of the tries got through
 */
export async function writeOutcome(
  { runStore, clock, times, logger }: SyncDependencies,
  { lease }: RunContext,
  { ending, publication }: { ending: RunEnding; publication: Publication | undefined },
): Promise<Finished> {
  const startedAtMs = clock.monotonic();
  for (
    let delayMs = FIRST_RETRY_DELAY_MS;
    ;
    delayMs = Math.min(delayMs * 2, LONGEST_RETRY_DELAY_MS)
  ) {
    try {
      return publication === undefined
        ? await runStore.finish(lease, ending)
        : await runStore.publishAndFinish(lease, ending, publication);
    } catch (error) {
      // Whoever holds another type of value than ours at a key will not have gone in a second.
      if (error instanceof SynclineError && error.code === 'store-corrupt') throw error;
      logger.warn(
        { err: error, registry: lease.registry, term: lease.term },
        'could not save the status',
      );
      if (clock.monotonic() - startedAtMs + delayMs > times.leaseTtlMs) throw error;
      await sleep(delayMs);
    }
  }
}
