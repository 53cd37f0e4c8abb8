import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, type StatusChanges, type SyncStatus, storedToken } from '@syncline/contract';
import type { StatusPersistence } from '../ports/status-persistence.ts';

const RETRY_AFTER_MS = 5_000;

/**
 * Copies statuses to the embedding program. The coordinator does not need the copy: it logs and repeats a failed write,
 * and waits for no write.
 */
export class StatusCopy {
  readonly #to: StatusPersistence;
  readonly #logger: Logger;
  readonly #newest = new Map<string, SyncStatus>();
  readonly #writing = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor({ to, logger }: { to: StatusPersistence; logger: Logger }) {
    this.#to = to;
    this.#logger = logger;
  }

  /** Schedules the write of a status. */
  update(registry: string, status: SyncStatus): void {
    this.#newest.set(registry, status);
    if (!this.#writing.has(registry)) this.#writing.set(registry, this.#writeNewest(registry));
  }

  /** Tries once more to write all pending statuses. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#writing.values());
  }

  async #writeNewest(registry: string): Promise<void> {
    const { signal } = this.#closing;
    let hasFailed = false;
    for (;;) {
      const status = this.#newest.get(registry);
      const isLastTry = signal.aborted;
      if (status === undefined) break;
      try {
        await this.#write(registry, status);
        hasFailed = false;
        // A newer status may have arrived during the write.
        if (this.#newest.get(registry) === status) this.#newest.delete(registry);
      } catch (error) {
        if (!hasFailed) this.#logger.warn({ err: error, registry }, 'could not save the status');
        hasFailed = true;
        if (isLastTry) break;
        await sleep(RETRY_AFTER_MS, undefined, { signal }).catch(() => {});
      }
    }
    this.#writing.delete(registry);
  }

  async #write(registry: string, status: SyncStatus): Promise<void> {
    const before = await this.#to.load(registry);
    const removed = Object.keys(before ?? {}).map((name) => [name, undefined]);
    const changes: StatusChanges = { ...Object.fromEntries(removed), ...status };
    if (await this.#to.save(registry, changes, { expected: storedToken(before) })) return;
    throw new Error('another writer has changed the same status');
  }
}
