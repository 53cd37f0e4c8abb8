export { sha256 } from './digest.ts';
export { pickLatest } from './latest.ts';
export type { BodyFormat, BodyOrigin, BodySummary, ParsedBody } from './parse/parse-body.ts';
export type { IngestedRow, RowReading } from './parse/read-row.ts';
export {
  type JsonObject,
  OFFICIAL_META,
  type OfficialMeta,
  type ServedRow,
  type ServerStatus,
  SYNCLINE_META,
  type SynclineMeta,
  serverStatusSchema,
} from './row.ts';
export { displayKey, nameOfKey, nameSortKey, type RowKey, sortKey } from './row-key.ts';
