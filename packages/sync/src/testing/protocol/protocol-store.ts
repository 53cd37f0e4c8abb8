import type { StoreHarness } from '../store-harness.ts';

/** What a sweep finds of a registry. */
export interface Found {
  /** The term of a run whose lease has ended without a word. */
  readonly interruptedTerm?: string;
  /** The number of an open request without a run. */
  readonly openRequest?: number;
}

/** A store that the protocol is played on, and what is done to it from outside. */
export interface ProtocolStore extends Omit<StoreHarness, 'loseData'> {
  /** As those ask who hold no lease: an api, another service. */
  request(registry: string, options: { force: boolean }): Promise<void>;
  /** As an operator does it: lifts a suspension, and a pin. */
  resume(registry: string): Promise<void>;
  /** All that the store has of the registry is gone. */
  loseData(registry: string): Promise<void>;
  /** Absent if a store has no sweep. */
  sweep?(registry: string): Promise<Found>;
}
