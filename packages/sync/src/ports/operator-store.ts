/** Why a registry is suspended, and who suspended it. */
export interface Suspension {
  readonly note?: string;
  readonly author?: string;
}

/** Stores what operators request. Writes are not fenced, because an operator overrules a running run. */
export interface OperatorStore {
  /** Suspends the registry. The store's clock gives the time. Replaces the note and author of an earlier suspension. */
  suspend(registry: string, suspension: Suspension): Promise<void>;
  /** Removes a suspension and a pin, and wakes a worker for the registry. */
  resume(registry: string): Promise<void>;
  /** Returns the snapshot that the registry is pinned to. */
  pinned(registry: string): Promise<string | undefined>;
  /** Pins the registry to a snapshot, or unpins it. */
  setPinned(registry: string, snapshot: string | undefined): Promise<void>;
  /** Returns the snapshot that the guard holds. */
  held(registry: string): Promise<string | undefined>;
  /** Requests a run of each catalog, because a member now serves another snapshot. */
  requestDependents(catalogs: readonly string[]): Promise<void>;
}
