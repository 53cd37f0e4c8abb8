import { SynclineError } from '@syncline/contract';
import type { RowKey } from '@syncline/rows';
import { z } from 'zod';
import { parseInstant } from './instant.ts';

/** The filters of a list. A row must pass all of them. */
export interface ListFilters {
  /** A part of the name or the description, in upper or lower case. */
  readonly search?: string | undefined;
  /** `latest`, or an exact version. */
  readonly version?: string | undefined;
  /** An RFC 3339 time. Only rows that were updated after this time pass. */
  readonly updatedSince?: string | undefined;
  readonly includeDeleted: boolean;
}

/** The word that stands for the version marked as latest. */
export const LATEST = 'latest';

/** Returns whether a list may read many rows to find few. Most names have a latest version. */
export function isScan({ search, version, updatedSince }: ListFilters): boolean {
  const isExact = version !== undefined && version !== LATEST;
  return search !== undefined || isExact || updatedSince !== undefined;
}

/** The data of a cursor. It is complete, so any api can serve the next page, even after a sync. */
export interface CursorContent {
  /** The last row of the previous page. Lists are sorted by name, then by version, byte by byte. */
  readonly after: RowKey;
  readonly filters: ListFilters;
}

/**
 * The keys are short, because the cursor is part of URLs. `n` and `v` are the last row; the others
 * are the filters of the list.
 */
const wireSchema = z.strictObject({
  n: z.string().min(1),
  v: z.string(),
  search: z.string().optional(),
  version: z.string().optional(),
  since: z
    .string()
    .refine((text) => parseInstant(text) !== undefined)
    .optional(),
  deleted: z.literal(1).optional(),
});

/**
 * Encodes a cursor in unpadded base64url, because some clients put it into the URL without
 * encoding.
 */
export function encodeCursor({ after, filters }: CursorContent): string {
  const wire: z.input<typeof wireSchema> = {
    n: after.name,
    v: after.version,
    search: filters.search,
    version: filters.version,
    since: filters.updatedSince,
    deleted: filters.includeDeleted ? 1 : undefined,
  };
  return Buffer.from(JSON.stringify(wire)).toString('base64url');
}

/**
 * Decodes a cursor. @throws {SynclineError} `bad-request` for a text that {@link encodeCursor} did
 * not return
 */
export function decodeCursor(cursor: string): CursorContent {
  const wire = wireSchema.safeParse(parseWire(cursor));
  if (!wire.success) {
    const advice = 'use the nextCursor of an earlier page, unchanged';
    throw new SynclineError('bad-request', `invalid query: cursor: ${advice}`);
  }
  const { n, v, search, version, since, deleted } = wire.data;
  return {
    after: { name: n, version: v },
    filters: { search, version, updatedSince: since, includeDeleted: deleted === 1 },
  };
}

function parseWire(cursor: string): unknown {
  const bytes = Buffer.from(cursor, 'base64url');
  // Buffer ignores invalid characters, so compare the text. A cut or padded cursor must not pass.
  if (bytes.toString('base64url') !== cursor) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
