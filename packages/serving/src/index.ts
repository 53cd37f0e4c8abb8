export { type ConflictMember, listConflicts } from './conflicts.ts';
export { listServers } from './list-servers.ts';
export type { FreshnessOf, ServerList } from './present.ts';
export { pageLimitSchema, parseListQuery, parseQuery, parseVersionQuery } from './query.ts';
export { getVersion, listVersions } from './show-server.ts';
