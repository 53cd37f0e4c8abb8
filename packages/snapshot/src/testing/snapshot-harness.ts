import { fencingToken, type Lease } from '@syncline/contract';
import type { Publication } from '../store.ts';
import {
  createInMemorySnapshotStore,
  createInMemorySnapshots,
  type InMemorySnapshots,
} from './in-memory-snapshot-store.ts';

/** Creates a snapshot store in memory, with a clock, leases and publications for tests. */
export function createSnapshotHarness({
  nowMs = Date.parse('2026-02-01T12:00:00Z'),
  totalLimit = Number.POSITIVE_INFINITY,
} = {}) {
  const registries = new Map<string, InMemorySnapshots>();
  const tokens = new Map<string, string>();
  const clock = { nowMs };
  let term = 0;
  const of = (registry: string) => {
    const known = registries.get(registry) ?? createInMemorySnapshots();
    registries.set(registry, known);
    return known;
  };
  const isHeld = (lease: Lease) => tokens.get(lease.registry) === fencingToken(lease);
  return {
    clock,
    snapshots: createInMemorySnapshotStore({ registries, of, isHeld }, { totalLimit }),
    /** Acquires the registry's lease, so that the previous lease is lost. */
    acquire(registry: string): Lease {
      term += 1;
      const lease: Lease = { registry, term: String(term), owner: 'alice' };
      tokens.set(registry, fencingToken(lease));
      return lease;
    },
    /** Publishes the snapshot, one millisecond after the previous publication. */
    publish(registry: string, { manifest }: Publication): void {
      const stored = of(registry);
      clock.nowMs += 1;
      if (stored.pointer !== undefined && stored.pointer !== manifest) {
        stored.supersededAtMs.set(stored.pointer, clock.nowMs);
      }
      stored.supersededAtMs.delete(manifest);
      stored.pointer = manifest;
    },
  };
}

export type SnapshotHarness = ReturnType<typeof createSnapshotHarness>;
