export { type CreateSource, createSourceFactory, openSources, withhold } from './create-source.ts';
export { Git } from './git/git.ts';
export { isGitRecent, LEAST_GIT_VERSION } from './git/process/git-version.ts';
export { HttpClient } from './http/http.ts';
export type { MemoryAccount, Reservation } from './memory/memory-account.ts';
export { MemoryBudget } from './memory/memory-budget.ts';
export { createAddressGuard } from './network/address-guard.ts';
export { type ProxyOptions, proxyFor } from './network/outgoing.ts';
export {
  createInMemoryPlaceStore,
  createRequestBudgets,
  type RequestBudgets,
} from './network/request-budgets.ts';
export type {
  FetchOptions,
  Source,
  SourceContext,
  SourceReading,
  TakeBody,
  UpstreamUsage,
} from './source.ts';
