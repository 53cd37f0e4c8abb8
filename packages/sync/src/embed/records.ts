import {
  type Control,
  controlSchema,
  fencingToken,
  type Lease,
  type Run,
  type SyncStatus,
  storedToken,
} from '@syncline/contract';

/** All that a store without scripts keeps of one registry, besides its blobs. */
export interface RegistryRecord {
  readonly status: SyncStatus | undefined;
  readonly control: Control;
  /** Newest first. */
  readonly runs: readonly Run[];
  /** Digest of the manifest that is served. */
  readonly pointer: string | undefined;
  /** When a manifest was superseded, epoch milliseconds; none while it is served, or never was. */
  readonly supersededAtMs: ReadonlyMap<string, number>;
}

/** What a caller is answered, and the fields that change with it. */
export interface Change<Answer> {
  readonly answer: Answer;
  readonly record?: Partial<RegistryRecord>;
}

/** Keeps one record a registry. */
export interface Records {
  read(registry: string): Promise<RegistryRecord>;
  /**
   * Changes a record in one step. Changes of one registry are made one after another: nothing else changes the
   * record while `decide` works.
   *
   * @throws what `decide` throws, or a failed write; the record then stays as it was
   */
  update<Answer>(
    registry: string,
    decide: (record: RegistryRecord) => Change<Answer> | Promise<Change<Answer>>,
  ): Promise<Answer>;
  /** All registries that have a record. */
  list(): Promise<ReadonlyMap<string, RegistryRecord>>;
}

/** Returns the record of a registry that never ran. */
export function emptyRecord(): RegistryRecord {
  return {
    status: undefined,
    control: controlSchema.parse({}),
    runs: [],
    pointer: undefined,
    supersededAtMs: new Map(),
  };
}

/** Whether a write under the lease is to be accepted: its token is the one that is stored. */
export function isHeld({ status }: Pick<RegistryRecord, 'status'>, lease: Lease): boolean {
  return storedToken(status) === fencingToken(lease);
}

/** Runs tasks of one key one after another, and those of different keys at once. */
export function createKeyedQueue(): <Result>(
  key: string,
  task: () => Promise<Result>,
) => Promise<Result> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, task) => {
    const done = (last.get(key) ?? Promise.resolve()).then(task);
    const settled = done.catch(() => {});
    last.set(key, settled);
    try {
      return await done;
    } finally {
      if (last.get(key) === settled) last.delete(key);
    }
  };
}
