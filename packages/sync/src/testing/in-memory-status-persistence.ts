import { changeStatus, type SyncStatus, storedToken } from '@syncline/contract';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import { type InMemoryState, statusOf } from './in-memory-state.ts';

/** Status in memory. */
export function createInMemoryStatusPersistence(state: InMemoryState): StatusPersistence {
  return {
    load: async (registry) => state.of(registry).status,
    async save(name, changes, { expected }) {
      const registry = state.of(name);
      if (storedToken(registry.status) !== expected) return false;
      registry.status = changeStatus(statusOf(registry), changes);
      return true;
    },
    async list() {
      const statuses = new Map<string, SyncStatus>();
      for (const [name, { status }] of state.registries) {
        if (status !== undefined) statuses.set(name, status);
      }
      return statuses;
    },
  };
}
