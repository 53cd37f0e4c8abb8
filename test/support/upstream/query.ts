import { type Answer, problem } from './answer.ts';
import { instantKey } from './instant.ts';

const DEFAULT_LIMIT = 30;
const MAX_LIMIT = 100;

/** The checked parameters of `GET /servers`. */
export interface ListQuery {
  readonly limit: number;
  readonly after: { readonly name: string; readonly version: string } | undefined;
  readonly search: string | undefined;
  /** `latest`, or the exact text of a version. */
  readonly version: string | undefined;
  readonly updatedSince: string | undefined;
  readonly includeDeleted: boolean;
}

export type ParsedQuery =
  | { readonly ok: true; readonly query: ListQuery }
  | { readonly ok: false; readonly answer: Answer };

/** Reads the parameters as the official registry does. Ignores unknown parameters. */
export function parseListQuery(parameters: URLSearchParams): ParsedQuery {
  const limit = parseLimit(parameters.get('limit'));
  if (limit === undefined) {
    return refuse(422, 'validation failed', `limit: expected a number from 1 to ${MAX_LIMIT}`);
  }
  const deleted = parseIncludeDeleted(parameters);
  if (deleted === undefined) {
    return refuse(422, 'validation failed', 'include_deleted: expected true or false');
  }
  const since = parameters.get('updated_since');
  const updatedSince = since === null ? undefined : instantKey(since);
  if (since !== null && updatedSince === undefined) {
    return refuse(400, 'Invalid updated_since format: expected RFC3339 timestamp');
  }
  if (since !== null && parameters.get('include_deleted') === 'false') {
    return refuse(400, 'include_deleted=false cannot be combined with updated_since');
  }
  return {
    ok: true,
    query: {
      limit,
      after: parseCursor(parameters.get('cursor')),
      search: parameters.get('search')?.toLowerCase() || undefined,
      version: parameters.get('version') || undefined,
      updatedSince,
      includeDeleted: deleted || since !== null,
    },
  };
}

/**
 * Returns `include_deleted`: false if it is absent, or `undefined` if it is neither true nor false.
 */
export function parseIncludeDeleted(parameters: URLSearchParams): boolean | undefined {
  const text = parameters.get('include_deleted') ?? 'false';
  return text === 'true' || text === 'false' ? text === 'true' : undefined;
}

function parseLimit(text: string | null): number | undefined {
  if (text === null) return DEFAULT_LIMIT;
  const limit = /^\d+$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_LIMIT ? limit : undefined;
}

/** Parses a cursor. A cursor without a colon is a name. */
function parseCursor(cursor: string | null): ListQuery['after'] {
  if (cursor === null || cursor === '') return undefined;
  const colon = cursor.indexOf(':');
  if (colon < 0) return { name: cursor, version: '\u{10ffff}' };
  return { name: cursor.slice(0, colon), version: cursor.slice(colon + 1) };
}

function refuse(status: number, detail: string, ...errors: string[]): ParsedQuery {
  return { ok: false, answer: problem(status, detail, errors) };
}
