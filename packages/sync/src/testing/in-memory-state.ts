import type { Clock, Lease } from '@syncline/contract';
import { createInMemorySnapshots, type InMemorySnapshots } from '@syncline/snapshot/testing';
import {
  createKeyedQueue,
  emptyRecord,
  isHeld,
  type Records,
  type RegistryRecord,
} from '../embed/records.ts';

/** The whole state of one registry. */
export type InMemoryRegistry = InMemorySnapshots & {
  -readonly [Field in 'status' | 'control' | 'runs']: RegistryRecord[Field];
};

/** The state that the in-memory ports share, like Redis ports share a Redis. Tests may change it freely. */
export interface InMemoryState {
  readonly clock: Clock;
  readonly registries: Map<string, InMemoryRegistry>;
  /** The same registries in the form that a run store changes. */
  readonly records: Records;
  /** Returns the state of the registry with that name, and creates it if it is missing. */
  of(registry: string): InMemoryRegistry;
  /** Returns whether the store accepts a write under the lease, because its token is the stored one. */
  isHeld(lease: Lease): boolean;
}

export function createInMemoryState({ clock }: { clock: Clock }): InMemoryState {
  const registries = new Map<string, InMemoryRegistry>();
  const oneByOne = createKeyedQueue();
  const of = (name: string) => {
    const known = registries.get(name);
    if (known !== undefined) return known;
    const registry: InMemoryRegistry = { ...emptyRecord(), ...createInMemorySnapshots() };
    registries.set(name, registry);
    return registry;
  };
  return {
    clock,
    registries,
    records: {
      read: async (name) => of(name),
      update: (name, decide) =>
        oneByOne(name, async () => {
          const { answer, record } = await decide(of(name));
          Object.assign(of(name), record);
          return answer;
        }),
      list: async () => registries,
    },
    isHeld: (lease) => isHeld(of(lease.registry), lease),
    of,
  };
}
