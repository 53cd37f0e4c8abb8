import { join } from 'node:path';
import {
  controlSchema,
  runSchema,
  SynclineError,
  type SyncStatus,
  statusSchema,
} from '@syncline/contract';
import { z } from 'zod';
import {
  type Change,
  createKeyedQueue,
  emptyRecord,
  type Records,
  type RegistryRecord,
} from '../records.ts';
import { type DataFolder, listIfThere, readIfThere } from './data-folder.ts';

const FILE = 'state.json';

const fileSchema = z.object({
  v: z.literal(1),
  registry: z.string(),
  status: statusSchema.optional(),
  control: controlSchema,
  runs: z.array(runSchema),
  pointer: z.string().optional(),
  supersededAtMs: z
    .record(z.string(), z.number())
    .transform((times) => new Map(Object.entries(times))),
});

export interface FileRecordsOptions {
  readonly folder: DataFolder;
  /** Called with each written status. */
  readonly onStatus?: (registry: string, status: SyncStatus) => void;
}

/**
 * Stores one JSON file per registry. Each update replaces the file in one step. The pointer, the status and the run log
 * therefore change together, even if the process dies.
 */
export class FileRecords implements Records {
  readonly #folder: DataFolder;
  readonly #onStatus: FileRecordsOptions['onStatus'];
  readonly #known = new Map<string, Promise<RegistryRecord>>();
  readonly #oneByOne = createKeyedQueue();

  constructor({ folder, onStatus }: FileRecordsOptions) {
    this.#folder = folder;
    this.#onStatus = onStatus;
  }

  /** Forgets records that were read before the lock, because another process may have changed them. */
  reopen(): void {
    this.#known.clear();
  }

  read(registry: string): Promise<RegistryRecord> {
    const known = this.#known.get(registry);
    if (known !== undefined) return known;
    const reading = this.#load(registry);
    this.#known.set(registry, reading);
    reading.catch(() => this.#known.delete(registry));
    return reading;
  }

  update<Answer>(
    registry: string,
    decide: (record: RegistryRecord) => Change<Answer> | Promise<Change<Answer>>,
  ): Promise<Answer> {
    return this.#oneByOne(registry, async () => {
      const before = await this.read(registry);
      this.#assertLocked();
      const { answer, record } = await decide(before);
      if (record === undefined) return answer;
      this.#assertLocked();
      const after = { ...before, ...record };
      await this.#folder.replace(this.#path(registry), toFile(registry, after));
      // Updates the cache after the write, so that a failed update changes nothing and can be repeated.
      this.#known.set(registry, Promise.resolve(after));
      if (after.status !== undefined) this.#onStatus?.(registry, after.status);
      return answer;
    });
  }

  async list(): Promise<ReadonlyMap<string, RegistryRecord>> {
    const root = join(this.#folder.path, 'registries');
    const listed = new Map<string, RegistryRecord>();
    for (const name of await listIfThere(root)) {
      const bytes = await readIfThere(join(root, name, FILE));
      if (bytes !== undefined) listed.set(name, await this.read(name));
    }
    return listed;
  }

  async #load(registry: string): Promise<RegistryRecord> {
    const path = this.#path(registry);
    const bytes = await readIfThere(path);
    if (bytes === undefined) return emptyRecord();
    const { v: _version, registry: _name, ...record } = parseFile(path, bytes);
    const { status } = record;
    const isStale = this.#folder.isLocked && status?.leaseUntil !== undefined;
    // The owner of the lease had locked the folder, so that process is dead. The status still counts its start.
    return { ...emptyRecord(), ...record, status: isStale ? { ...status, leaseUntil: 0 } : status };
  }

  #path(registry: string): string {
    return join(this.#folder.ofRegistry(registry), FILE);
  }

  #assertLocked(): void {
    if (this.#folder.isLocked) return;
    throw new SynclineError(
      'store-unavailable',
      'the coordinator is not running. Call start() first',
    );
  }
}

function toFile(registry: string, record: RegistryRecord): string {
  const { control, supersededAtMs, ...rest } = record;
  const flag = (value: boolean) => (value ? '1' : '0');
  const document: z.input<typeof fileSchema> = {
    v: 1,
    registry,
    ...rest,
    runs: [...record.runs],
    // Uses the form of Redis, so that one schema reads both.
    control: { ...control, force: flag(control.force), suspended: flag(control.suspended) },
    supersededAtMs: Object.fromEntries(supersededAtMs),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function parseFile(path: string, bytes: Buffer): z.output<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    const message = `${path} is not a state file of this version`;
    const advice = 'Move its folder away, and the coordinator syncs the registry from the start';
    throw new SynclineError('store-corrupt', `${message}. ${advice}`, { cause });
  }
}
