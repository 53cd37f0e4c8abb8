import {
  type Control,
  changeStatus,
  controlSchema,
  fencingToken,
  type Lease,
  PENDING_STATUS,
  type Run,
  type SyncStatus,
  storedToken,
} from '@syncline/contract';
import type { StatusPersistence } from '../ports/status-persistence.ts';

/** Everything that a store without scripts knows of one registry, except the blobs. */
export interface RegistryRecord {
  readonly status: SyncStatus | undefined;
  readonly control: Control;
  /** The runs, newest first. */
  readonly runs: readonly Run[];
  /** The digest of the served manifest. */
  readonly pointer: string | undefined;
  /** When the next manifest replaced a manifest, in epoch ms. A served or unpublished manifest has no entry. */
  readonly supersededAtMs: ReadonlyMap<string, number>;
}

/** The answer to a caller, and the fields to change. */
export interface Change<Answer> {
  readonly answer: Answer;
  readonly record?: Partial<RegistryRecord>;
}

/** Stores one record per registry. */
export interface Records {
  read(registry: string): Promise<RegistryRecord>;
  /**
   * Changes a record in one step. Nothing else changes the record while `decide` runs.
   *
   * @throws the error of `decide` or of a failed write, which leaves the record unchanged
   */
  update<Answer>(
    registry: string,
    decide: (record: RegistryRecord) => Change<Answer> | Promise<Change<Answer>>,
  ): Promise<Answer>;
  /** Returns all registries with a record. */
  list(): Promise<ReadonlyMap<string, RegistryRecord>>;
}

/** Returns the record of a registry that has never run. */
export function emptyRecord(): RegistryRecord {
  return {
    status: undefined,
    control: controlSchema.parse({}),
    runs: [],
    pointer: undefined,
    supersededAtMs: new Map(),
  };
}

/** Returns whether the store accepts a write under the lease, because its token is the stored one. */
export function isHeld({ status }: Pick<RegistryRecord, 'status'>, lease: Lease): boolean {
  return storedToken(status) === fencingToken(lease);
}

/** Stores statuses in the records. */
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

/** Runs tasks with the same key one after another, and tasks with different keys concurrently. */
export function createKeyedQueue(): <Result>(
  key: string,
  task: () => Promise<Result>,
) => Promise<Result> {
  const last = new Map<string, Promise<unknown>>();
  return (key, task) => {
    const done = (last.get(key) ?? Promise.resolve()).then(task);
    const forget = () => {
      if (last.get(key) === settled) last.delete(key);
    };
    const settled = done.then(forget, forget);
    last.set(key, settled);
    return done;
  };
}
