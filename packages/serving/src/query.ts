import { SynclineError } from '@syncline/contract';
import { z } from 'zod';
import { type CursorContent, decodeCursor, isScan } from './cursor.ts';
import { parseInstant } from './instant.ts';

const DEFAULT_PAGE_LIMIT = 30;
const MAX_PAGE_LIMIT = 100;
/** Longer than any useful search. Also short enough for a URL, because a cursor contains the search. */
const MAX_SEARCH_LENGTH = 500;
const MAX_VERSION_LENGTH = 255;

/** Returns the schema of the `limit` of a page. @param options.fallback the limit of a query without one */
export function pageLimit({ most, fallback }: { most: number; fallback: number }) {
  const error = `use a whole number from 1 to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, { error })
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= most, { error })
    .default(fallback);
}

export const pageLimitSchema = pageLimit({ most: MAX_PAGE_LIMIT, fallback: DEFAULT_PAGE_LIMIT });

const flagSchema = z.stringbool({
  truthy: ['true', '1'],
  falsy: ['false', '0'],
  error: 'use true or false',
});

const instantSchema = z.string().refine((text) => parseInstant(text) !== undefined, {
  error:
    'use an RFC 3339 time such as 2026-01-31T12:00:00Z (the + of an offset is written %2B in a URL)',
});

const listQuerySchema = z
  .object({
    limit: pageLimitSchema,
    cursor: z.string().optional(),
    search: z.string().max(MAX_SEARCH_LENGTH).optional(),
    version: z.string().max(MAX_VERSION_LENGTH).optional(),
    updated_since: instantSchema.optional(),
    include_deleted: flagSchema.optional(),
  })
  .refine((query) => query.updated_since === undefined || query.include_deleted !== false, {
    path: ['include_deleted'],
    error:
      'use true or no value together with updated_since, which always includes deleted servers',
  });

const versionQuerySchema = z.object({
  include_deleted: flagSchema.default(false),
  cursor: z.string().optional(),
});

/** A request for one page of a list. */
export interface ListRequest extends Omit<CursorContent, 'after'> {
  readonly limit: number;
  readonly after?: CursorContent['after'] | undefined;
}

/**
 * Parses the query of `GET …/servers`. Ignores unknown parameters, and treats empty ones as absent. The filters in
 * a cursor take precedence, because some clients send filters only with the first page.
 *
 * @throws {SynclineError} `bad-request`, naming the parameter
 */
export function parseListQuery(query: URLSearchParams): ListRequest {
  const { limit, cursor, ...filters } = parseQuery(listQuerySchema, query);
  if (cursor !== undefined) return { limit, ...decodeCursor(cursor) };
  return {
    limit,
    filters: {
      search: filters.search,
      version: filters.version,
      updatedSince: filters.updated_since,
      includeDeleted: filters.include_deleted ?? filters.updated_since !== undefined,
    },
  };
}

/** Returns whether the URL of a registry route asks to read many rows to find few. */
export function isScanRequest(url: string): boolean {
  const query = new URLSearchParams(url.split('?').slice(1).join('?'));
  const cursor = query.get('cursor');
  if (cursor === null || cursor === '') {
    return isScan({
      search: query.get('search') || undefined,
      version: query.get('version') || undefined,
      updatedSince: query.get('updated_since') || undefined,
      includeDeleted: true,
    });
  }
  try {
    return isScan(decodeCursor(cursor).filters);
  } catch {
    // The handler rejects an invalid cursor before it reads anything.
    return false;
  }
}

/**
 * Parses the query of the two endpoints that read one server.
 *
 * @throws {SynclineError} `bad-request`, naming the parameter
 */
export function parseVersionQuery(query: URLSearchParams): {
  includeDeleted: boolean;
  cursor: string | undefined;
} {
  const { include_deleted: includeDeleted, cursor } = parseQuery(versionQuerySchema, query);
  return { includeDeleted, cursor };
}

/**
 * Parses a query string with a schema of strings. If a parameter occurs twice, uses the first one.
 *
 * @throws {SynclineError} `bad-request`, naming the parameter
 */
export function parseQuery<Schema extends z.ZodObject>(
  schema: Schema,
  query: URLSearchParams,
): z.output<Schema> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = query.get(name);
    if (value !== null && value !== '') given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new SynclineError('bad-request', `invalid query: ${problems.join('; ')}`);
}
