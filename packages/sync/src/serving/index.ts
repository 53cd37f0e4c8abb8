/** The MCP Registry API's reads, over a snapshot: no HTTP, no storage. */
export { listServers } from './list-servers.ts';
export {
  type Freshness,
  type FreshnessOf,
  type PresentedRow,
  presentRow,
  type ServerList,
} from './present.ts';
export {
  type ListRequest,
  pageLimitSchema,
  parseListQuery,
  parseQuery,
  parseVersionQuery,
} from './query.ts';
export { getVersion, listVersions, type ServerRequest } from './show-server.ts';
