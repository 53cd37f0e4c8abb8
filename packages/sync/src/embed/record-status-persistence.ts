import { changeStatus, PENDING_STATUS, storedToken } from '@syncline/contract';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import type { Records } from './records.ts';

/** The status in each record. */
export function createRecordStatusPersistence(records: Records): StatusPersistence {
  return {
    load: async (registry) => (await records.read(registry)).status,
    save: (registry, changes, { expected }) =>
      records.update(registry, ({ status }) =>
        storedToken(status) === expected
          ? { answer: true, record: { status: changeStatus(status ?? PENDING_STATUS, changes) } }
          : { answer: false },
      ),
    list: async () => {
      const listed = [...(await records.list())];
      return new Map(listed.flatMap(([name, { status }]) => (status ? [[name, status]] : [])));
    },
  };
}
