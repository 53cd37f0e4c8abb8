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

/** Everything that a store without scripts has of one registry, except its blobs. */
export interface RegistryRecord {
  readonly status: SyncStatus | undefined;
  readonly control: Control;
  /** Newest first. */
  readonly runs: readonly Run[];
  /** Digest of the manifest that is served. */
  readonly pointer: string | undefined;
  /** When a manifest was superseded, in epoch milliseconds. Has no manifest that is served, or never was. */
  readonly supersededAtMs: ReadonlyMap<string, number>;
}

/** The answer to a caller, and the fields that change with it. */
export interface Change<Answer> {
  readonly answer: Answer;
  readonly record?: Partial<RegistryRecord>;
}

/** Stores one record per registry. */
export interface Records {
  read(registry: string): Promise<RegistryRecord>;
  /**
   * Changes a record in one step. Nothing else changes the record while `decide` works.
   *
   * @throws the error of `decide` or of a failed write; the record is then unchanged
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

/** Returns whether a write under the lease is accepted: its token is the stored one. */
export function isHeld({ status }: Pick<RegistryRecord, 'status'>, lease: Lease): boolean {
  return storedToken(status) === fencingToken(lease);
}

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

/** Runs tasks of one key one after another, and tasks of different keys concurrently. */
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
