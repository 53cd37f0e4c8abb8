/** Converts rows between their stages: read, stored, served, presented. */
import { z } from 'zod';
import { MAX_NAME_BYTES, MAX_ROW_BYTES, MAX_VERSION_BYTES } from './limits.ts';
import {
  type FreshnessOf,
  type JsonObject,
  OFFICIAL_META,
  type OfficialMeta,
  type PresentedRow,
  type ReadRow,
  type RowKey,
  type ServedRow,
  type StoredRow,
  SYNCLINE_META,
  type SynclineMeta,
  serverStatusSchema,
} from './row.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is the point.
const ASCII = /^[\x00-\x7f]*$/;

/** Returns a text with one character per UTF-8 byte, so that `<` compares bytes. */
function byteString(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * Returns a string that sorts with `<` in the order of the MCP Registry API: by name, then version, byte by byte. NUL
 * separates name and version, so neither may contain NUL.
 */
export function sortKey({ name, version }: RowKey): string {
  return `${byteString(name)}\0${byteString(version)}`;
}

/** Returns the smallest sort key of a name. All versions of the name sort at or after it. */
export function nameSortKey(name: string): string {
  return `${byteString(name)}\0`;
}

/** Returns a sort key as `name@version`, for people to read. */
export function displayKey(key: string): string {
  return Buffer.from(key, 'latin1').toString('utf8').replace('\0', '@');
}

/** Returns the name in a sort key, with one character per byte. */
export function nameOfKey(key: string): string {
  return key.slice(0, key.indexOf('\0'));
}

/** Returns whether a text has at most `maxBytes` bytes in UTF-8. */
function isWithin(text: string, maxBytes: number): boolean {
  // A character takes at most three bytes.
  return text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes;
}

// Validates only the fields that serving needs. One real row in seven violates its own schema.
const identifier = (what: string, maxBytes: number) =>
  z
    .string({ error: `${what} is missing or is not a string` })
    .min(1, { error: `${what} is empty` })
    .refine((text) => isWithin(text, maxBytes), {
      error: `${what} has more than ${maxBytes} bytes`,
    })
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), {
      error: `${what} has control characters or invalid Unicode`,
    });

// Lists only known members, because copying the others would cost time for each of 100,000 rows.
const serverSchema = z.object(
  {
    name: identifier('server.name', MAX_NAME_BYTES),
    version: identifier('server.version', MAX_VERSION_BYTES),
    description: z
      .string({ error: 'server.description is missing or is not a string' })
      .min(1, { error: 'server.description is empty' }),
    _meta: z.custom<JsonObject>(isObject, { error: 'server._meta is not an object' }).optional(),
  },
  { error: 'the row does not describe a server' },
);

const officialSchema = z.object(
  {
    status: serverStatusSchema.optional(),
    publishedAt: z.iso.datetime({ offset: true }).optional(),
    updatedAt: z.iso.datetime({ offset: true }).optional(),
    isLatest: z.boolean().optional(),
  },
  { error: `_meta["${OFFICIAL_META}"] is not an object` },
);

const wrappedRow = z.object({
  server: serverSchema,
  _meta: z
    .object({ [OFFICIAL_META]: officialSchema.optional() }, { error: '_meta is not an object' })
    .nullish(),
});

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export type RowReading =
  | { readonly ok: true; readonly row: ReadRow }
  | { readonly ok: false; readonly label: string; readonly reason: string };

/**
 * Validates one row, independently of other rows: `{server, _meta}`, or a bare server.
 *
 * @param place identifies a row without a name
 */
export function readRow(candidate: unknown, place: number): RowReading {
  const row = isWrapped(candidate) ? withOwnMeta(candidate) : { server: candidate, _meta: {} };
  const invalid = (reason: string) =>
    ({ ok: false, label: rowLabel(candidate, place), reason }) as const;
  const parsed = wrappedRow.safeParse(isWrapped(candidate) ? candidate : row);
  if (!parsed.success) return invalid(firstReason(parsed.error));
  const json = JSON.stringify(row);
  // The row may be larger than its source: 1e20 becomes 100000000000000000000.
  if (!isWithin(json, MAX_ROW_BYTES)) {
    return invalid(`the row has ${Buffer.byteLength(json)} bytes. The limit is ${MAX_ROW_BYTES}`);
  }
  const { name, version } = parsed.data.server;
  const { status = 'active', publishedAt, isLatest } = parsed.data._meta?.[OFFICIAL_META] ?? {};
  const key = sortKey({ name, version });
  return { ok: true, row: { key, name, version, json, status, publishedAt, isLatest } };
}

/**
 * Returns the upstream's row with its original objects, because parsed copies could lose members. Removes the freshness
 * of an upstream Syncline, because the freshness changes even if the row does not.
 */
function withOwnMeta(candidate: { _meta?: unknown }): object {
  const { [SYNCLINE_META]: _ofUpstream, ..._meta } = { ...Object(candidate._meta) };
  return { ...candidate, _meta };
}

function isWrapped(candidate: unknown): candidate is { server: unknown; _meta?: unknown } {
  return typeof candidate === 'object' && candidate !== null && 'server' in candidate;
}

const labelSchema = z.object({ name: z.string(), version: z.string().optional() });

/** Returns `name@version` as far as it is readable, else `row <place>`. */
export function rowLabel(candidate: unknown, place: number): string {
  const parsed = labelSchema.safeParse(isWrapped(candidate) ? candidate.server : candidate);
  if (!parsed.success) return `row ${place}`;
  const { name, version } = parsed.data;
  return `${name}@${version ?? '?'}`.slice(0, 200).toWellFormed();
}

function firstReason({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return 'the row does not describe a server';
  const isOwn = issue.code === 'custom' || !issue.message.startsWith('Invalid');
  return isOwn ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}

/**
 * Returns a row of a chunk, or `undefined` if the value is not a row. Needs no schema: Syncline validates rows before
 * it stores them, and digests protect them. A schema would copy the rows, and could lose members.
 */
export function toStoredRow(
  value: JsonObject,
  ours: Pick<StoredRow, 'isLatest' | 'updatedAtMs' | 'firstSeenAtMs'>,
): StoredRow | undefined {
  if (!isRowValue(value)) return undefined;
  return { key: sortKey(value.server), value, ...ours };
}

function isRowValue(value: JsonObject): value is StoredRow['value'] & JsonObject {
  return typeof value['server'] === 'object' && typeof value['_meta'] === 'object';
}

/** Returns a stored row in the form that its upstream gave. A tombstone is never marked as the latest. */
export function toReadRow({ key, value }: Pick<StoredRow, 'key' | 'value'>): ReadRow {
  const { name, version } = value.server;
  const { status = 'active', publishedAt, isLatest } = value._meta[OFFICIAL_META] ?? {};
  return {
    key,
    name,
    version,
    json: JSON.stringify(value),
    status,
    publishedAt,
    isLatest: isTombstone({ value }) ? undefined : isLatest,
  };
}

/** Returns a stored row of a registry as a row of a catalog. The result names its registry. */
export function toCatalogRow(row: StoredRow, registry: string): ReadRow {
  const official = row.value._meta[OFFICIAL_META];
  const publishedAt = official?.publishedAt ?? new Date(row.firstSeenAtMs).toISOString();
  const read = withMeta(row, { ...official, publishedAt }, { source: registry });
  return { ...read, isLatest: row.isLatest };
}

/** Returns a removed row of a catalog as a deleted row. */
export function toTombstone(row: StoredRow): ReadRow {
  if (isTombstone(row)) return toReadRow(row);
  const { [OFFICIAL_META]: official, [SYNCLINE_META]: sync } = row.value._meta;
  const deleted = { ...official, status: 'deleted' } as const;
  return withMeta(row, deleted, { source: sync?.source ?? '', tombstone: true });
}

export function isTombstone({ value }: Pick<StoredRow, 'value'>): boolean {
  return value._meta[SYNCLINE_META]?.tombstone === true;
}

function withMeta(
  { key, value }: StoredRow,
  official: Partial<OfficialMeta>,
  sync: SynclineMeta,
): ReadRow {
  const _meta = { ...value._meta, [OFFICIAL_META]: official, [SYNCLINE_META]: sync };
  return toReadRow({ key, value: { ...value, _meta } });
}

/** Returns a stored row in its served form. @param source the registry, if the row itself names none */
export function toServedRow(
  { value, isLatest, updatedAtMs, firstSeenAtMs }: StoredRow,
  source: string,
): ServedRow {
  const { server, _meta } = value;
  const official = _meta[OFFICIAL_META];
  const upstreamUpdatedAt = official?.updatedAt;
  return {
    ...value,
    server,
    _meta: {
      ..._meta,
      [OFFICIAL_META]: {
        status: 'active',
        publishedAt: new Date(firstSeenAtMs).toISOString(),
        ...official,
        updatedAt: new Date(updatedAtMs).toISOString(),
        isLatest,
      },
      [SYNCLINE_META]: {
        source,
        ..._meta[SYNCLINE_META],
        ...(upstreamUpdatedAt === undefined ? {} : { upstreamUpdatedAt }),
      },
    },
  };
}

/** Returns a served row, with the freshness added to Syncline's block. */
export function toPresentedRow(row: ServedRow, freshnessOf: FreshnessOf): PresentedRow {
  const sync = row._meta[SYNCLINE_META];
  const { syncedAt, stale } = freshnessOf(sync.source);
  const fresh = { ...sync, ...(syncedAt === undefined ? {} : { syncedAt }), stale };
  return { ...row, _meta: { ...row._meta, [SYNCLINE_META]: fresh } };
}
