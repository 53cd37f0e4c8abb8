import { z } from 'zod';
import {
  type JsonObject,
  OFFICIAL_META,
  type ServerStatus,
  SYNCLINE_META,
  serverStatusSchema,
} from '../row.ts';
import { sortKey } from '../row-key.ts';

/** A row that is larger than this is quarantined: the largest known real one has 58 KB. */
export const MAX_ROW_CHARACTERS = 1024 * 1024;

/** A row that was accepted: what it is known by, and its JSON as it came. */
export interface IngestedRow {
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly json: string;
  readonly status: ServerStatus;
  readonly publishedAt: string | undefined;
  /** As the upstream says; `undefined` where it says nothing. */
  readonly isLatest: boolean | undefined;
}

/** What may be a row; or, where a format knows already that it is none, why. */
export type RowCandidate =
  | { readonly row: unknown }
  | { readonly label: string; readonly reason: string };

export type RowReading =
  | { readonly ok: true; readonly row: IngestedRow; readonly value: RowValue }
  | { readonly ok: false; readonly label: string; readonly reason: string };

// Only what serving depends on is asked for. Real rows break their own schemas in one case of seven, so
// that everything else is kept as it came.
const identifier = (what: string) =>
  z
    .string({ error: `${what} is missing or no text` })
    .min(1, { error: `${what} is empty` })
    .max(1_000, { error: `${what} has more than 1,000 characters` })
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), {
      error: `${what} has control characters or broken Unicode`,
    });

// Known members only, and no copy of the others: of 100,000 rows each costs.
const serverSchema = z.object(
  {
    name: identifier('server.name'),
    version: identifier('server.version'),
    description: z
      .string({ error: 'server.description is missing or no text' })
      .min(1, { error: 'server.description is empty' }),
    _meta: z.custom<JsonObject>(isObject, { error: 'server._meta is no object' }).optional(),
  },
  { error: 'the row is no server' },
);

const officialSchema = z.object(
  {
    status: serverStatusSchema.optional(),
    publishedAt: z.iso.datetime({ offset: true }).optional(),
    updatedAt: z.iso.datetime({ offset: true }).optional(),
    isLatest: z.boolean().optional(),
  },
  { error: `_meta["${OFFICIAL_META}"] is no object` },
);

const metaSchema = z.object(
  { [OFFICIAL_META]: officialSchema.optional() },
  { error: '_meta is no object' },
);

const wrappedRow = z.object({ server: serverSchema, _meta: metaSchema.nullish() });

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A row, its known members parsed. */
export interface RowValue {
  readonly server: z.infer<typeof serverSchema>;
  readonly _meta: z.infer<typeof metaSchema>;
}

/**
 * Validates one row by itself: `{server, _meta}`, or a bare server. A bad one gets a reason, and the
 * others go on without it.
 */
export function readRow(candidate: unknown, place: number): RowReading {
  const wrapped = isWrapped(candidate);
  const parsed = wrapped
    ? wrappedRow.safeParse(candidate)
    : wrappedRow.safeParse({ server: candidate });
  if (!parsed.success) {
    return { ok: false, label: rowLabel(candidate, place), reason: firstReason(parsed.error) };
  }
  const { server } = parsed.data;
  const _meta = parsed.data._meta ?? {};
  const official = _meta[OFFICIAL_META];
  const json = JSON.stringify(wrapped ? withMeta(candidate) : { server: candidate, _meta: {} });
  if (json.length > MAX_ROW_CHARACTERS) {
    const reason = `the row has ${json.length} characters; at most ${MAX_ROW_CHARACTERS} are kept`;
    return { ok: false, label: rowLabel(candidate, place), reason };
  }
  const { name, version } = server;
  return {
    ok: true,
    value: { server, _meta },
    row: {
      key: sortKey({ name, version }),
      name,
      version,
      json,
      status: official?.status ?? 'active',
      publishedAt: official?.publishedAt,
      isLatest: official?.isLatest,
    },
  };
}

/** The row as it came: the original objects, not parsed copies, so that nothing gets lost on the way. */
function withMeta(candidate: { _meta?: unknown }): object {
  const { [SYNCLINE_META]: _ofUpstream, ..._meta } = { ...Object(candidate._meta) };
  // An upstream that is a Syncline too says in its block how fresh it is; that is no change of the row.
  return { ...candidate, _meta };
}

function isWrapped(candidate: unknown): candidate is { server: unknown; _meta?: unknown } {
  return typeof candidate === 'object' && candidate !== null && 'server' in candidate;
}

const labelSchema = z.object({ name: z.string(), version: z.string().optional() });

/** `name@version` as far as it can be read, else its place. */
export function rowLabel(candidate: unknown, place: number): string {
  const parsed = labelSchema.safeParse(isWrapped(candidate) ? candidate.server : candidate);
  if (!parsed.success) return `row ${place}`;
  const { name, version } = parsed.data;
  return `${name}@${version ?? '?'}`.slice(0, 200).toWellFormed();
}

function firstReason(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'the row is no server';
  const own = issue.code === 'custom' || !issue.message.startsWith('Invalid');
  return own ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}
