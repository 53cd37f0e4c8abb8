import type { FencingToken, StatusChanges, SyncStatus } from '@syncline/contract';

/** Keeps one status a registry. */
export interface StatusPersistence {
  load(registry: string): Promise<SyncStatus | undefined>;
  /**
   * Makes changes to the status if the token that is stored equals `expected` (`undefined`: if none is
   * stored).
   *
   * @returns whether they were made
   */
  save(
    registry: string,
    changes: StatusChanges,
    options: { expected: FencingToken | undefined },
  ): Promise<boolean>;
  /** All registries that have a status. */
  list(): Promise<ReadonlyMap<string, SyncStatus>>;
}
