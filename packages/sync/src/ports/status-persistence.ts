import type { FencingToken, StatusChanges, SyncStatus } from '@syncline/contract';

/** Stores one status per registry. */
export interface StatusPersistence {
  load(registry: string): Promise<SyncStatus | undefined>;
  /**
   * Changes the status if the stored token equals `expected`. `undefined` expects no stored token.
   *
   * @returns whether the status was changed
   */
  save(
    registry: string,
    changes: StatusChanges,
    options: { expected: FencingToken | undefined },
  ): Promise<boolean>;
  /** Returns all registries with a status. */
  list(): Promise<ReadonlyMap<string, SyncStatus>>;
}
