import { createRecordRunStore } from '../embed/record-run-store.ts';
import type { RunStore } from '../ports/run-store.ts';
import type { InMemoryState } from './in-memory-state.ts';

/** Creates a run store in memory. The state's clock gives the times. */
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
