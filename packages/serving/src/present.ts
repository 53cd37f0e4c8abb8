import { type JsonObject, type ServedRow, SYNCLINE_META, type SynclineMeta } from '@syncline/rows';

/** How old is what is served. Told with each row. */
export interface Freshness {
  /** When the registry was last checked with success, RFC 3339; absent for never. */
  readonly syncedAt?: string | undefined;
  /** Whether that is longer ago than it should be. */
  readonly stale: boolean;
}

/** How old is what came from a registry: a catalog serves rows of several. */
export type FreshnessOf = (source: string) => Freshness;

/** A row as it leaves the house: as it is stored, with its {@link Freshness} in our own block. */
export interface PresentedRow {
  readonly server: ServedRow['server'];
  readonly _meta: JsonObject & { readonly [SYNCLINE_META]: SynclineMeta & Freshness };
}

/** A list of the MCP Registry API. `nextCursor` is left out where nothing follows: `null` would be invalid. */
export interface ServerList {
  readonly servers: readonly PresentedRow[];
  readonly metadata: { readonly count: number; readonly nextCursor?: string };
}

/** Adds the freshness to a row. All else comes out as it is stored. */
export function presentRow(row: ServedRow, freshnessOf: FreshnessOf): PresentedRow {
  const { syncedAt, stale } = freshnessOf(row._meta[SYNCLINE_META].source);
  return {
    ...row,
    _meta: {
      ...row._meta,
      [SYNCLINE_META]: {
        ...row._meta[SYNCLINE_META],
        ...(syncedAt === undefined ? {} : { syncedAt }),
        stale,
      },
    },
  };
}
