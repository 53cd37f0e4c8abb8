import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  changeStatus,
  PENDING_STATUS,
  SynclineError,
  type SyncStatus,
  statusSchema,
  storedToken,
} from '@syncline/contract';
import { z } from 'zod';
import type { StatusPersistence } from '../../ports/status-persistence.ts';

const fileSchema = z.object({ v: z.literal(1), registries: z.record(z.string(), statusSchema) });

/**
 * Status in one JSON file, for one process. Each save replaces the file in one step, so that a reader,
 * or a crash, finds the state before or the state after.
 *
 * @param options.path for example `status.json` in the data directory; made when it is first needed
 */
export function createFileStatusPersistence({ path }: { path: string }): StatusPersistence {
  let statuses: Promise<ReadonlyMap<string, SyncStatus>> | undefined;
  let saving: Promise<unknown> = Promise.resolve();

  return {
    async load(registry) {
      return (await read()).get(registry);
    },
    save(registry, changes, { expected }) {
      // One after the other: each sees what the one before it has written.
      const saved = saving.then(async () => {
        const known = await read();
        const before = known.get(registry);
        if (storedToken(before) !== expected) return false;
        const changed = changeStatus(before ?? PENDING_STATUS, changes);
        const next = new Map(known).set(registry, changed);
        await replaceFile(next);
        // Only now: a save that could not be written has not been made, and may be tried again.
        statuses = Promise.resolve(next);
        return true;
      });
      saving = saved.catch(() => {});
      return saved;
    },
    async list() {
      return new Map(await read());
    },
  };

  function read(): Promise<ReadonlyMap<string, SyncStatus>> {
    statuses ??= readStatuses(path).catch((error: unknown) => {
      statuses = undefined;
      throw error;
    });
    return statuses;
  }

  async function replaceFile(known: ReadonlyMap<string, SyncStatus>): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const document = { v: 1, registries: Object.fromEntries(known) };
    await writeFile(`${path}.new`, `${JSON.stringify(document, null, 2)}\n`);
    await rename(`${path}.new`, path);
  }
}

async function readStatuses(path: string): Promise<Map<string, SyncStatus>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw error;
  }
  try {
    return new Map(Object.entries(fileSchema.parse(JSON.parse(text)).registries));
  } catch (cause) {
    throw new SynclineError('store-corrupt', `${path} holds no status`, {
      expected: 'a file that Syncline wrote; move it away to begin anew',
      cause,
    });
  }
}
