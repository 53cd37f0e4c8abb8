import { SynclineError } from '@syncline/contract';
import { z } from 'zod';
import { decodeCursor, type ListFilters, type PageKey } from './cursor.ts';
import { parseInstant } from './instant.ts';

const DEFAULT_PAGE_LIMIT = 30;
const MAX_PAGE_LIMIT = 100;
/** Longer than any name or description can be; it keeps cursors, which carry it, short enough for a URL. */
const MAX_SEARCH_LENGTH = 500;
const MAX_VERSION_LENGTH = 255;

const TRUE = ['true', '1'];
const FALSE = ['false', '0'];

/** `limit` of a page: {@link DEFAULT_PAGE_LIMIT} unless told, at most {@link MAX_PAGE_LIMIT}. */
export const pageLimitSchema = z
  .string()
  .regex(/^\d{1,9}$/, { error: `expected a whole number from 1 to ${MAX_PAGE_LIMIT}` })
  .transform(Number)
  .refine((limit) => limit >= 1 && limit <= MAX_PAGE_LIMIT, {
    error: `expected a whole number from 1 to ${MAX_PAGE_LIMIT}`,
  })
  .default(DEFAULT_PAGE_LIMIT);

const flagSchema = z
  .string()
  .toLowerCase()
  .refine((text) => TRUE.includes(text) || FALSE.includes(text), {
    error: 'expected true or false',
  })
  .transform((text) => TRUE.includes(text));

const instantSchema = z.string().refine((text) => parseInstant(text) !== undefined, {
  error:
    'expected an RFC 3339 time such as 2026-01-31T12:00:00Z (the + of an offset is written %2B in a URL)',
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
      'expected true, or nothing, together with updated_since, which always includes deleted servers',
  });

const versionQuerySchema = z.object({ include_deleted: flagSchema.default(false) });

export interface ListRequest {
  readonly limit: number;
  readonly filters: ListFilters;
  /** The page begins with the row after this one. */
  readonly after?: PageKey | undefined;
}

/**
 * Reads the query of `GET …/servers`. What is unknown is ignored, what is empty counts as absent. A
 * cursor brings the filters of the list it belongs to, and they win: some clients drop theirs from
 * page two on.
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

/**
 * Reads the query of the two endpoints that show one server.
 *
 * @throws {SynclineError} `bad-request`, naming the parameter
 */
export function parseVersionQuery(query: URLSearchParams): { includeDeleted: boolean } {
  return { includeDeleted: parseQuery(versionQuerySchema, query).include_deleted };
}

/**
 * Parses a query string by a schema of strings; of a parameter given twice the first counts.
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
