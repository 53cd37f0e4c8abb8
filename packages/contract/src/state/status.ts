import { z } from 'zod';
import { errorCodeSchema } from '../errors/error-table.ts';
import { reasonSchema } from './reasons.ts';

/**
 * Parses a Redis hash field by field. An invalid field counts as absent, so it does not hide the others.
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

/** The hash `<prefix>:{registry}:control`: written by operators and requesters, not fenced. */
export const controlSchema = z.object({
  /** How many requests were made so far. */
  requested: count.default(0),
  /** The last request that a run has handled. */
  handled: count.default(0),
  /** Whether an open request asks to fetch even if the cheap check finds no change. */
  force: flag,
  suspended: flag,
  note: z.string().optional(),
  /** Who suspended it, as they said. */
  author: z.string().optional(),
  suspendedAt: z.iso.datetime().optional(),
  /** The manifest that a rollback pinned; nothing else is published until `resume`. */
  pinned: z.string().optional(),
});
export type Control = z.infer<typeof controlSchema>;

export const phaseSchema = z.enum(['Pending', 'Syncing', 'Complete', 'Failed']);
export type Phase = z.infer<typeof phaseSchema>;

const timestamp = z.iso.datetime();

/** A snapshot that a guard holds back, with the numbers that made it do so. */
export const heldSchema = z.object({
  snapshot: z.string(),
  since: timestamp,
  reason: z.enum(['shrink', 'empty']),
  rowCountBefore: z.number().int(),
  rowCountAfter: z.number().int(),
  /** Digest of the filter that it has passed; absent in what an older version held. */
  filterHash: z.string().optional(),
});
export type Held = z.infer<typeof heldSchema>;

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON' });
    return z.NEVER;
  }
}

/**
 * The hash `<prefix>:{registry}:status`, for anyone to read. Times are RFC 3339 UTC; absent means never.
 * Read it through {@link readStatus}: `Syncing` is true only while the lease lasts.
 */
export const statusSchema = z.object({
  phase: phaseSchema.default('Pending'),
  /** Fencing token: `<term>:<owner>` of the run that holds, or last held, the lease. */
  term: z.string().regex(/^\d+$/).optional(),
  owner: z.string().optional(),
  /** Epoch milliseconds by Redis's clock; absent or 0 while no run holds the lease. */
  leaseUntil: z.coerce.number().optional(),
  /** Runs in a row that took the lease and never finished: their process died. */
  startsWithoutFinish: count.default(0),
  reason: reasonSchema.optional(),
  message: z.string().optional(),
  errorCode: errorCodeSchema.optional(),
  /** When a run last took the lease. */
  lastAttemptAt: timestamp.optional(),
  /** When content was last fetched and processed without error. */
  lastSyncAt: timestamp.optional(),
  /** When a check or a sync last succeeded: the age of what is served counts from here. */
  lastSuccessAt: timestamp.optional(),
  /** When a snapshot was last published. */
  lastChangeAt: timestamp.optional(),
  /** Before this, a failing registry is not tried again, unless asked. */
  nextDueAt: timestamp.optional(),
  consecutiveFailures: count.default(0),
  /** Digest of the manifest that is served. */
  snapshot: z.string().optional(),
  /** Digest of the manifest with all rows of the source; absent while nothing is filtered: `snapshot` has them. */
  mirror: z.string().optional(),
  /** `lastSyncAt` as of `mirror`. If the two differ, a worker of an older version has synced since: `mirror` is stale. */
  mirrorSyncAt: timestamp.optional(),
  /** The source's own mark of the state last read. */
  revision: z.string().optional(),
  serverCount: count.default(0),
  versionCount: count.default(0),
  skillCount: count.default(0),
  pluginCount: count.default(0),
  quarantinedCount: count.default(0),
  /** Digest of what is read and how; a change invalidates `revision`. */
  sourceHash: z.string().optional(),
  filterHash: z.string().optional(),
  durationMs: count.optional(),
  held: z.union([heldSchema, z.string().transform(parseJson).pipe(heldSchema)]).optional(),
});
export type SyncStatus = z.infer<typeof statusSchema>;

/** The status of a registry that never ran. */
export const PENDING_STATUS: SyncStatus = statusSchema.parse({}, { jitless: true });

/** What of a status changes; `undefined` removes a field. */
export type StatusChanges = { [Field in keyof SyncStatus]?: SyncStatus[Field] | undefined };

/** Changes of a status as fields of a Redis hash: those to set, and those to remove. */
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

/** A status with changes made to it. */
export function changeStatus(status: SyncStatus, changes: StatusChanges): SyncStatus {
  return statusSchema.parse({ ...status, ...changes });
}

/**
 * Returns the status to show: `Syncing` only until the lease expires by Redis's clock. After that, the run counts as
 * interrupted, and the phase is that of the runs before it.
 *
 * @param nowMs epoch milliseconds by Redis's clock
 */
export function readStatus(status: SyncStatus, nowMs: number): SyncStatus {
  if (status.phase !== 'Syncing' || (status.leaseUntil ?? 0) > nowMs) return status;
  return {
    ...status,
    phase: settledPhase(status),
    message: 'the last run was interrupted; another one is on its way',
  };
}

/** Returns the phase of a registry without a running run. */
export function settledPhase(
  status: Pick<StatusChanges, 'consecutiveFailures' | 'lastSuccessAt'>,
): Phase {
  if ((status.consecutiveFailures ?? 0) > 0) return 'Failed';
  return status.lastSuccessAt === undefined ? 'Pending' : 'Complete';
}
