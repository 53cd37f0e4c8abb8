/** Why a registry is suspended, and by whom. */
export interface Suspension {
  readonly note?: string;
  readonly author?: string;
}

/** Stores what operators request. Its writes are not fenced: an operator overrules a running run. */
export interface OperatorStore {
  /** Suspends the registry from now on, by the store's clock. Replaces the note and author of an earlier suspension. */
  suspend(registry: string, suspension: Suspension): Promise<void>;
  /** Removes a suspension and a pin, and wakes a worker for the registry. */
  resume(registry: string): Promise<void>;
  /** Returns the snapshot that the registry is pinned to. */
  pinned(registry: string): Promise<string | undefined>;
  /** Pins the registry to a snapshot, or unpins it. */
  setPinned(registry: string, snapshot: string | undefined): Promise<void>;
  /** Returns the snapshot that the guard holds back. */
  held(registry: string): Promise<string | undefined>;
  /** Requests a run of each of these catalogs, because one of their registries serves another snapshot. */
  requestDependents(catalogs: readonly string[]): Promise<void>;
}
