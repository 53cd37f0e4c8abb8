import {
  type Control,
  controlSchema,
  PENDING_STATUS,
  type Run,
  type SyncStatus,
} from '@syncline/contract';
import { type Clock, fencingToken, type Lease, storedToken } from '../ports.ts';

/** All that a store knows of one registry. */
export interface InMemoryRegistry {
  status: SyncStatus | undefined;
  control: Control;
  /** Newest first. */
  readonly runs: Run[];
  /** Digest of the manifest that is served. */
  pointer: string | undefined;
  readonly manifests: Map<string, Uint8Array>;
  readonly chunks: Map<string, Uint8Array>;
  /** When a manifest was superseded, epoch milliseconds; none while it is served, or never was. */
  readonly supersededAtMs: Map<string, number>;
}

/** What the in-memory ports share, as the Redis ones share a Redis. Tests may change it at will. */
export interface InMemoryState {
  readonly clock: Clock;
  readonly registries: Map<string, InMemoryRegistry>;
  /** Of that name; made where there is none yet. */
  of(registry: string): InMemoryRegistry;
}

export function createInMemoryState({ clock }: { clock: Clock }): InMemoryState {
  const registries = new Map<string, InMemoryRegistry>();
  return {
    clock,
    registries,
    of(name) {
      const known = registries.get(name);
      if (known !== undefined) return known;
      const registry: InMemoryRegistry = {
        status: undefined,
        control: controlSchema.parse({}),
        runs: [],
        pointer: undefined,
        manifests: new Map(),
        chunks: new Map(),
        supersededAtMs: new Map(),
      };
      registries.set(name, registry);
      return registry;
    },
  };
}

/** Whether a write under `lease` is to be accepted: its token is the one that is stored. */
export function isHeld({ status }: InMemoryRegistry, lease: Lease): boolean {
  return storedToken(status) === fencingToken(lease);
}

/** The status as it is stored, or that of a registry that never ran. */
export function statusOf({ status }: InMemoryRegistry): SyncStatus {
  return status ?? PENDING_STATUS;
}
