import {
  changeStatus,
  PENDING_STATUS,
  SynclineError,
  type SyncStatus,
  statusSchema,
  storedToken,
} from '@syncline/contract';
import { z } from 'zod';
import type { StatusPersistence } from '../ports/status-persistence.ts';
import { readIfThere, replaceFile } from './files/data-folder.ts';
import { createKeyedQueue } from './records.ts';

type Statuses = ReadonlyMap<string, SyncStatus>;

const fileSchema = z.object({ v: z.literal(1), registries: z.record(z.string(), statusSchema) });

/** Stores statuses in memory until the process ends. */
export function createInMemoryStatusPersistence(): StatusPersistence {
  return createMapStatusPersistence({ read: async () => new Map(), write: async () => {} });
}

/**
 * Stores statuses in one JSON file, for one process. Each save replaces the file in one step. Even after a crash, a
 * reader finds either the old or the new state.
 *
 * @param options.path for example `status.json` in the data directory. A save creates missing folders
 */
export function createFileStatusPersistence({ path }: { path: string }): StatusPersistence {
  return createMapStatusPersistence({
    async read() {
      const bytes = await readIfThere(path);
      if (bytes === undefined) return new Map();
      try {
        const { registries } = fileSchema.parse(JSON.parse(bytes.toString('utf8')));
        return new Map(Object.entries(registries));
      } catch (cause) {
        const message = `${path} is not a status file. Move the file away to start with an empty status file`;
        throw new SynclineError('store-corrupt', message, { cause });
      }
    },
    async write(statuses) {
      const document = { v: 1, registries: Object.fromEntries(statuses) };
      const content = `${JSON.stringify(document, null, 2)}\n`;
      await replaceFile(path, { content, temporary: `${path}.new` });
    },
  });
}

function createMapStatusPersistence({
  read,
  write,
}: {
  read: () => Promise<Statuses>;
  write: (statuses: Statuses) => Promise<void>;
}): StatusPersistence {
  let statuses: Promise<Statuses> | undefined;
  const oneByOne = createKeyedQueue();
  const load = () => {
    statuses ??= read().catch((error: unknown) => {
      statuses = undefined;
      throw error;
    });
    return statuses;
  };
  return {
    load: async (registry) => (await load()).get(registry),
    list: async () => new Map(await load()),
    save: (registry, changes, { expected }) =>
      oneByOne('', async () => {
        const known = await load();
        const before = known.get(registry);
        if (storedToken(before) !== expected) return false;
        const changed = changeStatus(before ?? PENDING_STATUS, changes);
        const next = new Map(known).set(registry, changed);
        await write(next);
        // Updates the cache after the write, so that a failed save changes nothing and can be repeated.
        statuses = Promise.resolve(next);
        return true;
      }),
  };
}
