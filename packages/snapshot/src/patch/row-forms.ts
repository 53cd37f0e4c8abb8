import {
  type IngestedRow,
  type JsonObject,
  OFFICIAL_META,
  type ServerStatus,
  SYNCLINE_META,
  type SynclineMeta,
} from '@syncline/rows';
import type { DecodedRow } from '../encoding/stored-row.ts';

/** What a row of a catalog has besides what every row has. */
export interface CatalogRow {
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly value: StoredValue;
  readonly status: ServerStatus;
  readonly publishedAt: string | undefined;
  readonly isLatest: boolean | undefined;
}

interface StoredValue extends JsonObject {
  readonly server: JsonObject & { readonly name: string; readonly version: string };
  readonly _meta: JsonObject & {
    readonly [OFFICIAL_META]?: JsonObject & {
      status?: ServerStatus;
      publishedAt?: string;
      isLatest?: boolean;
    };
    readonly [SYNCLINE_META]?: SynclineMeta;
  };
}

/** The row as its upstream gave it. A tombstone is nobody's latest, whatever was said of the row. */
export function fromUpstream(row: DecodedRow): IngestedRow {
  const value = storedValue(row);
  const { name, version } = value.server;
  const { status = 'active', publishedAt, isLatest } = value._meta[OFFICIAL_META] ?? {};
  return {
    key: row.key,
    name,
    version,
    json: JSON.stringify(value),
    status,
    publishedAt,
    isLatest: isTombstone(row) ? undefined : isLatest,
  };
}

/** The row of a registry as its catalog keeps it: as it came, and with where it came from. */
export function fromRegistry(row: DecodedRow, registry: string): CatalogRow {
  const value = storedValue(row);
  const official = value._meta[OFFICIAL_META];
  const publishedAt = official?.publishedAt ?? new Date(row.firstSeenAtMs).toISOString();
  return catalogRow(
    row,
    withMeta(value, { official: { ...official, publishedAt }, sync: { source: registry } }),
    row.isLatest,
  );
}

/** A row that the catalog no longer has: deleted, for those who follow what changes. */
export function tombstoneOf(row: DecodedRow): CatalogRow {
  const value = storedValue(row);
  const { _meta } = value;
  if (isTombstone(row)) return catalogRow(row, value, undefined);
  const source = _meta[SYNCLINE_META]?.source ?? '';
  const official = { ..._meta[OFFICIAL_META], status: 'deleted' as const };
  const sync = { source, tombstone: true } as const;
  return catalogRow(row, withMeta(value, { official, sync }), undefined);
}

export function isTombstone(row: DecodedRow): boolean {
  return storedValue(row)._meta[SYNCLINE_META]?.tombstone === true;
}

function catalogRow(
  { key }: DecodedRow,
  value: StoredValue,
  isLatest: boolean | undefined,
): CatalogRow {
  const { name, version } = value.server;
  const { status = 'active', publishedAt } = value._meta[OFFICIAL_META] ?? {};
  return { key, name, version, value, status, publishedAt, isLatest };
}

function withMeta(
  value: StoredValue,
  { official, sync }: { official: JsonObject; sync: SynclineMeta },
): StoredValue {
  const _meta = { ...value._meta, [OFFICIAL_META]: official, [SYNCLINE_META]: sync };
  return { ...value, _meta };
}

/** Rows were validated before they were stored, and the digest vouches for them since. */
export function storedValue({ value }: DecodedRow): StoredValue {
  return value as StoredValue;
}
