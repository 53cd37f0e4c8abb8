import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, type StatusChanges, type SyncStatus, storedToken } from '@syncline/contract';
import type { StatusPersistence } from '../ports/status-persistence.ts';

const RETRY_AFTER_MS = 5_000;

export interface StatusCopy {
  /** Notes a status, to be written soon. */
  update(registry: string, status: SyncStatus): void;
  /** Tries once more to write what is not written yet, and gives up what fails. */
  close(): Promise<void>;
}

/**
 * Keeps statuses where the embedding program wants them. The coordinator itself does not need the copy: a write that
 * fails is logged and tried again, and holds up nothing.
 */
export function createStatusCopy({
  to,
  logger,
  retryAfterMs = RETRY_AFTER_MS,
}: {
  to: StatusPersistence;
  logger: Logger;
  retryAfterMs?: number;
}): StatusCopy {
  const newest = new Map<string, SyncStatus>();
  const writing = new Map<string, Promise<void>>();
  const closing = new AbortController();

  return {
    update(registry, status) {
      newest.set(registry, status);
      if (writing.has(registry)) return;
      writing.set(registry, writeNewest(registry));
    },
    async close() {
      closing.abort();
      await Promise.all(writing.values());
    },
  };

  async function writeNewest(registry: string): Promise<void> {
    let hasFailed = false;
    for (let status = newest.get(registry); status !== undefined; status = newest.get(registry)) {
      const isLastTry = closing.signal.aborted;
      try {
        await write(registry, status);
        hasFailed = false;
        // Another one may have come meanwhile.
        if (newest.get(registry) === status) newest.delete(registry);
      } catch (error) {
        if (!hasFailed) logger.warn({ err: error, registry }, 'could not save the status');
        hasFailed = true;
        if (isLastTry) break;
        await sleep(retryAfterMs, undefined, { signal: closing.signal }).catch(() => {});
      }
    }
    writing.delete(registry);
  }

  async function write(registry: string, status: SyncStatus): Promise<void> {
    const before = await to.load(registry);
    const removed = Object.keys(before ?? {}).map((name) => [name, undefined]);
    const changes: StatusChanges = { ...Object.fromEntries(removed), ...status };
    if (await to.save(registry, changes, { expected: storedToken(before) })) return;
    throw new Error('somebody else writes the same status');
  }
}
