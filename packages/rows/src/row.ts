import { z } from 'zod';

/** The key of the registry's own block in a row's `_meta`, as the MCP Registry API defines it. */
export const OFFICIAL_META = 'io.modelcontextprotocol.registry/official';
/** The key of the publisher's block in a server's `_meta`. */
export const PUBLISHER_META = 'io.modelcontextprotocol.registry/publisher-provided';
/** The key of Syncline's own block in a row's `_meta`. */
export const SYNCLINE_META = 'dev.syncline/sync';

export const serverStatusSchema = z.enum(['active', 'deprecated', 'deleted']);
export type ServerStatus = z.infer<typeof serverStatusSchema>;

/** A JSON object. Syncline keeps its undeclared members unchanged. */
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
  /** The `updatedAt` that the upstream gave. */
  upstreamUpdatedAt?: string;
  /** Whether the catalog has lost the row. The row stays for clients that follow the catalog's changes. */
  tombstone?: true;
}

/** Identifies a row within a registry. */
export interface RowKey {
  readonly name: string;
  readonly version: string;
}

/** The first stage: a valid row, as the upstream gave it. */
export interface ReadRow extends RowKey {
  /** See `sortKey`. */
  readonly key: string;
  /** `{"server":…,"_meta":…}` */
  readonly json: string;
  readonly status: ServerStatus;
  readonly publishedAt: string | undefined;
  /** The upstream's own mark, or `undefined` without one. */
  readonly isLatest: boolean | undefined;
}

/** The second stage: the upstream's row, and the fields that Syncline adds. */
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
  /** When Syncline's copy of the row last changed, in epoch milliseconds. */
  readonly updatedAtMs: number;
  /** When Syncline first saw the row, in epoch milliseconds. Replaces a missing `publishedAt`. */
  readonly firstSeenAtMs: number;
}

/** The third stage: the complete `{server, _meta}` of the MCP Registry API. */
export interface ServedRow {
  server: JsonObject & { name: string; version: string };
  _meta: JsonObject & { [OFFICIAL_META]: OfficialMeta; [SYNCLINE_META]: SynclineMeta };
}

/** How old the served copy of a registry is. */
export interface Freshness {
  /** When the last successful check of the registry was, in RFC 3339. Absent before the first one. */
  readonly syncedAt?: string | undefined;
  /** Whether the copy is older than the registry's `staleAfter`. */
  readonly stale: boolean;
}

/** Returns the freshness of a registry. A catalog serves rows of several registries. */
export type FreshnessOf = (source: string) => Freshness;

/** The fourth stage: a row in an answer, with its {@link Freshness}. */
export interface PresentedRow {
  readonly server: ServedRow['server'];
  readonly _meta: JsonObject & { readonly [SYNCLINE_META]: SynclineMeta & Freshness };
}
