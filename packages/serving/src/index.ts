export { type ConflictMember, listConflicts } from './conflicts.ts';
export { type ErrorBody, errorBody, errorHeaders } from './error-body.ts';
export { listServers, type ServerList } from './list-servers.ts';
export { Page } from './page.ts';
export {
  isScanRequest,
  pageLimit,
  pageLimitSchema,
  parseListQuery,
  parseQuery,
  parseVersionQuery,
} from './query.ts';
export { getVersion, listVersions } from './show-server.ts';
export { beginSlices, takeTurn } from './turns.ts';
