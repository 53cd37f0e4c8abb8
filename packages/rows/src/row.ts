import { z } from 'zod';

/** Key of the registry's own block in a row's `_meta`, as the MCP Registry API defines it. */
export const OFFICIAL_META = 'io.modelcontextprotocol.registry/official';
/** Key of the publisher's block in a server's `_meta`. */
export const PUBLISHER_META = 'io.modelcontextprotocol.registry/publisher-provided';
/** Key of Syncline's own block in a row's `_meta`. */
export const SYNCLINE_META = 'dev.syncline/sync';

export const serverStatusSchema = z.enum(['active', 'deprecated', 'deleted']);
export type ServerStatus = z.infer<typeof serverStatusSchema>;

/** A JSON object of which only some members are known; the others are kept as they came. */
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
  /** Of a catalog: the row is gone from it, and is told as deleted to those who follow its changes. */
  tombstone?: true;
}

/** A row as it is stored and served: `{server, _meta}` of the MCP Registry API. */
export interface ServedRow {
  server: JsonObject & { name: string; version: string };
  _meta: JsonObject & { [OFFICIAL_META]: OfficialMeta; [SYNCLINE_META]: SynclineMeta };
}
