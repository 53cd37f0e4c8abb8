import { createRecordRunStore } from '../embed/record-run-store.ts';
import type { RunStore } from '../ports/run-store.ts';
import type { InMemoryState } from './in-memory-state.ts';

/** Leases and what they fence, in memory. Time is that of the state's clock. */
export function createInMemoryRunStore({ records, clock, of }: InMemoryState): RunStore {
  return createRecordRunStore({
    records,
    clock,
    findMissing: async (registry, { manifest, mirror = manifest, chunks }) => {
      const stored = of(registry);
      return (
        [manifest, mirror].find((digest) => !stored.manifests.has(digest)) ??
        chunks.find((digest) => !stored.chunks.has(digest))
      );
    },
  });
}
