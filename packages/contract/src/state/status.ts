import { z } from 'zod';
import { errorCodeSchema } from '../errors/error-table.ts';
import { reasonSchema } from './reasons.ts';

/**
 * Parses a Redis hash field by field. It ignores each invalid field and keeps the other fields.
 *
 * @returns the value, and the names of the invalid fields
 * @throws z.ZodError if a required field is missing
 */
export function parseHash<Schema extends z.ZodObject>(
  schema: Schema,
  fields: Readonly<Record<string, unknown>>,
): { value: z.output<Schema>; invalid: string[] } {
  const whole = schema.safeParse(fields);
  if (whole.success) return { value: whole.data, invalid: [] };
  const invalid = new Set(whole.error.issues.map(({ path: [field] }) => String(field)));
  const valid = Object.entries(fields).filter(([field]) => !invalid.has(field));
  return { value: schema.parse(Object.fromEntries(valid)), invalid: [...invalid] };
}

const count = z.coerce.number().int().nonnegative();
const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((value) => value === '1');

/** The hash `<prefix>:{registry}:control`. Operators and requesters write it without fencing. */
export const controlSchema = z.object({
  /** The number of requests so far. */
  requested: count.default(0),
  /** The last request that a run has handled. */
  handled: count.default(0),
  /** Whether an open request fetches even if the cheap check finds no change. */
  force: flag,
  suspended: flag,
  note: z.string().optional(),
  /** The name that the operator gave on suspending. */
  author: z.string().optional(),
  suspendedAt: z.iso.datetime().optional(),
  /** The manifest that a rollback pinned. Until `resume`, no run publishes another manifest. */
  pinned: z.string().optional(),
});
export type Control = z.infer<typeof controlSchema>;

export const phaseSchema = z.enum(['Pending', 'Syncing', 'Complete', 'Failed']);
export type Phase = z.infer<typeof phaseSchema>;

const timestamp = z.iso.datetime();

/** A snapshot that the guard holds, and the row counts that caused it. */
export const heldSchema = z.object({
  snapshot: z.string(),
  since: timestamp,
  reason: z.enum(['shrink', 'empty']),
  rowCountBefore: z.number().int(),
  rowCountAfter: z.number().int(),
  /** The digest of the filter that produced the snapshot. Older versions did not store it. */
  filterHash: z.string().optional(),
});
export type Held = z.infer<typeof heldSchema>;

/** Parses JSON. */
export const jsonTextSchema = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'use JSON' });
    return z.NEVER;
  }
});

/**
 * The hash `<prefix>:{registry}:status`, which anyone may read. Times are RFC 3339 UTC; absent means never. Use {@link
 * readStatus}, because `Syncing` is true only until the lease expires.
 */
export const statusSchema = z.object({
  phase: phaseSchema.default('Pending'),
  /** Fencing token: `<term>:<owner>` of the run that has, or last had, the lease. */
  term: z.string().regex(/^\d+$/).optional(),
  owner: z.string().optional(),
  /** Epoch milliseconds by Redis's clock. Absent or 0 while no run has the lease. */
  leaseUntil: z.coerce.number().optional(),
  /** How many runs in a row took the lease and never finished, because their process died. */
  startsWithoutFinish: count.default(0),
  reason: reasonSchema.optional(),
  message: z.string().optional(),
  errorCode: errorCodeSchema.optional(),
  /** When a run last took the lease. */
  lastAttemptAt: timestamp.optional(),
  /** When a run last fetched and processed content without error. */
  lastSyncAt: timestamp.optional(),
  /** When a check or a sync last succeeded. The age of the served copy starts here. */
  lastSuccessAt: timestamp.optional(),
  /** When a snapshot was last published. */
  lastChangeAt: timestamp.optional(),
  /** Until this time, a failing registry runs only on request. */
  nextDueAt: timestamp.optional(),
  consecutiveFailures: count.default(0),
  /** The digest of the served manifest. */
  snapshot: z.string().optional(),
  /** The digest of the manifest with all rows of the source. Absent without a filter: `snapshot` has all rows. */
  mirror: z.string().optional(),
  /** The `lastSyncAt` of `mirror`. If `lastSyncAt` differs, an older worker has synced, and `mirror` is stale. */
  mirrorSyncAt: timestamp.optional(),
  /** The source's own mark of the state that a run last read. */
  revision: z.string().optional(),
  serverCount: count.default(0),
  versionCount: count.default(0),
  skillCount: count.default(0),
  pluginCount: count.default(0),
  quarantinedCount: count.default(0),
  /** The digest of the settings that decide what a run reads. Another digest invalidates `revision`. */
  sourceHash: z.string().optional(),
  filterHash: z.string().optional(),
  durationMs: count.optional(),
  held: z.union([heldSchema, jsonTextSchema.pipe(heldSchema)]).optional(),
});
export type SyncStatus = z.infer<typeof statusSchema>;

/** The status of a registry that has never run. */
export const PENDING_STATUS: SyncStatus = statusSchema.parse({}, { jitless: true });

/** Changes to a status. `undefined` removes a field. */
export type StatusChanges = { [Field in keyof SyncStatus]?: SyncStatus[Field] | undefined };

/** Returns the fields to set and to remove in the Redis hash. */
export function statusFields(changes: StatusChanges): {
  readonly set: Record<string, string>;
  readonly remove: string[];
} {
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) remove.push(name);
    else set[name] = typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
  return { set, remove };
}

/** Returns the status with the changes applied. */
export function changeStatus(status: SyncStatus, changes: StatusChanges): SyncStatus {
  return statusSchema.parse({ ...status, ...changes });
}

/**
 * Returns the status to show. The phase is `Syncing` only until the lease expires by Redis's clock. After that, the run
 * counts as interrupted, and the phase comes from the earlier runs.
 *
 * @param nowMs epoch milliseconds by Redis's clock
 */
export function readStatus(status: SyncStatus, nowMs: number): SyncStatus {
  if (status.phase !== 'Syncing' || (status.leaseUntil ?? 0) > nowMs) return status;
  return {
    ...status,
    phase: settledPhase(status),
    message: 'the last run was interrupted; a new run starts soon',
  };
}

/** Returns the phase of a registry that is not running. */
export function settledPhase(
  status: Pick<StatusChanges, 'consecutiveFailures' | 'lastSuccessAt'>,
): Phase {
  if ((status.consecutiveFailures ?? 0) > 0) return 'Failed';
  return status.lastSuccessAt === undefined ? 'Pending' : 'Complete';
}
