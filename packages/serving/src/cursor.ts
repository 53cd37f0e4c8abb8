import { SynclineError } from '@syncline/contract';
import type { RowKey } from '@syncline/rows';
import { z } from 'zod';
import { parseInstant } from './instant.ts';

/** Which rows a list has: those that pass all of these. */
export interface ListFilters {
  /** Part of the name or the description, in any case. */
  readonly search?: string | undefined;
  /** `latest`, or a version as it is written. */
  readonly version?: string | undefined;
  /** RFC 3339; only rows updated after it, not at it. */
  readonly updatedSince?: string | undefined;
  readonly includeDeleted: boolean;
}

/** Everything that the next page needs: any replica can serve it, also after a sync. */
export interface CursorContent {
  /** The last row of the page before. Lists are sorted by name, then version, byte by byte. */
  readonly after: RowKey;
  readonly filters: ListFilters;
}

/** Short, because it is part of URLs. `n`, `v`: the last row; the rest: the list's filters. */
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

/** Returns a cursor in unpadded base64url: some clients put it into the URL without encoding it. */
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

/** @throws {SynclineError} `bad-request` for anything that {@link encodeCursor} did not return */
export function decodeCursor(cursor: string): CursorContent {
  const wire = wireSchema.safeParse(parseWire(cursor));
  if (!wire.success) {
    throw new SynclineError('bad-request', 'invalid query: cursor', {
      expected: 'the nextCursor of an earlier page, unchanged',
    });
  }
  const { n, v, search, version, since, deleted } = wire.data;
  return {
    after: { name: n, version: v },
    filters: { search, version, updatedSince: since, includeDeleted: deleted === 1 },
  };
}

function parseWire(cursor: string): unknown {
  const bytes = Buffer.from(cursor, 'base64url');
  // Buffer ignores invalid characters; a cursor that was cut or padded must not pass.
  if (bytes.toString('base64url') !== cursor) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
