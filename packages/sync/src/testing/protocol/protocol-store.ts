import type { StoreHarness } from '../store-harness.ts';

/** What a sweep finds for a registry. */
export interface Found {
  /** The term of a run whose lease has expired before the run ended. */
  readonly interruptedTerm?: string;
  /** The number of an open request without a run. */
  readonly openRequest?: number;
}

/** A store for the protocol tests, with the actions of others on it. */
export interface ProtocolStore extends Omit<StoreHarness, 'loseData'> {
  /** Requests a run like a process without a lease, such as an api. */
  request(registry: string, options: { force: boolean }): Promise<void>;
  /** Removes a suspension and a pin, like an operator. */
  resume(registry: string): Promise<void>;
  /** Removes everything that the store knows of the registry. */
  loseData(registry: string): Promise<void>;
  /** Absent if a store has no sweep. */
  sweep?(registry: string): Promise<Found>;
}
