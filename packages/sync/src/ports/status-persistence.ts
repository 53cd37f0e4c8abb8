import type { FencingToken, StatusChanges, SyncStatus } from '@syncline/contract';

/** Stores one status per registry. */
export interface StatusPersistence {
  load(registry: string): Promise<SyncStatus | undefined>;
  /**
   * Changes the status if the stored token equals `expected` (`undefined`: if no token is stored).
   *
   * @returns whether the status was changed
   */
  save(
    registry: string,
    changes: StatusChanges,
    options: { expected: FencingToken | undefined },
  ): Promise<boolean>;
  /** Returns all registries that have a status. */
  list(): Promise<ReadonlyMap<string, SyncStatus>>;
}
