import { z } from 'zod';

/** Key of the registry's own block in a row's `_meta`, as the MCP Registry API defines it. */
export const OFFICIAL_META = 'io.modelcontextprotocol.registry/official';
/** Key of the publisher's block in a server's `_meta`. */
export const PUBLISHER_META = 'io.modelcontextprotocol.registry/publisher-provided';
/** Key of Syncline's own block in a row's `_meta`. */
export const SYNCLINE_META = 'dev.syncline/sync';

export const serverStatusSchema = z.enum(['active', 'deprecated', 'deleted']);
export type ServerStatus = z.infer<typeof serverStatusSchema>;

/** A JSON object. Members that are not declared are kept as they came. */
export type JsonObject = { [key: string]: unknown };

/** The registry's own block of a row. @see the MCP Registry API, `RegistryExtensions` */
export interface OfficialMeta {
  status: ServerStatus;
  publishedAt: string;
  updatedAt: string;
  isLatest: boolean;
  [key: string]: unknown;
}

/** Syncline's own block of a row. */
export interface SynclineMeta {
  /** The registry that the row was read from. */
  source: string;
  /** `updatedAt` as the upstream gave it. */
  upstreamUpdatedAt?: string;
  /** The row is gone from the catalog. It stays for clients that follow the catalog's changes. */
  tombstone?: true;
}

/** Identifies a row within a registry. */
export interface RowKey {
  readonly name: string;
  readonly version: string;
}

/** The first stage: a valid row of an upstream, as it came. */
export interface ReadRow extends RowKey {
  /** See `sortKey`. */
  readonly key: string;
  /** `{"server":…,"_meta":…}` */
  readonly json: string;
  readonly status: ServerStatus;
  readonly publishedAt: string | undefined;
  /** What the upstream says; `undefined` if it says nothing. */
  readonly isLatest: boolean | undefined;
}

/** What an upstream gave, and beside it what Syncline adds: the second stage. */
export interface StoredRow {
  readonly key: string;
  readonly value: {
    readonly server: ServedRow['server'];
    readonly _meta: JsonObject & {
      readonly [OFFICIAL_META]?: Partial<OfficialMeta>;
      readonly [SYNCLINE_META]?: SynclineMeta;
    };
  };
  readonly isLatest: boolean;
  /** When our copy of the row last changed, epoch milliseconds. */
  readonly updatedAtMs: number;
  /** When the row was first seen, epoch milliseconds. Replaces a missing `publishedAt`. */
  readonly firstSeenAtMs: number;
}

/** The third stage: `{server, _meta}` of the MCP Registry API, complete. */
export interface ServedRow {
  server: JsonObject & { name: string; version: string };
  _meta: JsonObject & { [OFFICIAL_META]: OfficialMeta; [SYNCLINE_META]: SynclineMeta };
}

/** How old the served copy of a registry is. */
export interface Freshness {
  /** When the registry was last checked successfully, RFC 3339; absent if it never was. */
  readonly syncedAt?: string | undefined;
  /** Whether the copy is older than its registry's interval allows. */
  readonly stale: boolean;
}

/** The freshness of each registry. A catalog serves rows of several. */
export type FreshnessOf = (source: string) => Freshness;

/** The fourth stage: a row in an answer, with its {@link Freshness}. */
export interface PresentedRow {
  readonly server: ServedRow['server'];
  readonly _meta: JsonObject & { readonly [SYNCLINE_META]: SynclineMeta & Freshness };
}
