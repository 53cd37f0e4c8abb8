import {
  type Clock,
  type Control,
  controlSchema,
  fencingToken,
  type Lease,
  PENDING_STATUS,
  type Run,
  type SyncStatus,
  storedToken,
} from '@syncline/contract';
import { createInMemorySnapshots, type InMemorySnapshots } from '@syncline/snapshot/testing';

/** All that a store knows of one registry. */
export interface InMemoryRegistry extends InMemorySnapshots {
  status: SyncStatus | undefined;
  control: Control;
  /** Newest first. */
  readonly runs: Run[];
}

/** What the in-memory ports share, as the Redis ones share a Redis. Tests may change it at will. */
export interface InMemoryState {
  readonly clock: Clock;
  readonly registries: Map<string, InMemoryRegistry>;
  /** Of that name; made where there is none yet. */
  of(registry: string): InMemoryRegistry;
  /** Whether a write under the lease is to be accepted: its token is the one that is stored. */
  isHeld(lease: Lease): boolean;
}

export function createInMemoryState({ clock }: { clock: Clock }): InMemoryState {
  const registries = new Map<string, InMemoryRegistry>();
  const state: InMemoryState = {
    clock,
    registries,
    isHeld: (lease) => storedToken(state.of(lease.registry).status) === fencingToken(lease),
    of(name) {
      const known = registries.get(name);
      if (known !== undefined) return known;
      const registry: InMemoryRegistry = {
        status: undefined,
        control: controlSchema.parse({}),
        runs: [],
        ...createInMemorySnapshots(),
      };
      registries.set(name, registry);
      return registry;
    },
  };
  return state;
}

/** The status as it is stored, or that of a registry that never ran. */
export function statusOf({ status }: InMemoryRegistry): SyncStatus {
  return status ?? PENDING_STATUS;
}
