import { changeStatus, PENDING_STATUS, type SyncStatus, storedToken } from '@syncline/contract';
import type { StatusPersistence } from '../ports/status-persistence.ts';

/** Status in memory: it ends with the process. */
export function createInMemoryStatusPersistence(): StatusPersistence {
  const statuses = new Map<string, SyncStatus>();
  return {
    load: async (registry) => statuses.get(registry),
    save: async (registry, changes, { expected }) => {
      const before = statuses.get(registry);
      if (storedToken(before) !== expected) return false;
      statuses.set(registry, changeStatus(before ?? PENDING_STATUS, changes));
      return true;
    },
    list: async () => new Map(statuses),
  };
}
