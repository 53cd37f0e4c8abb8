export { type CreateSource, createSourceFactory } from './create-source.ts';
export { withhold } from './credentials/withhold.ts';
export { Git } from './git/git.ts';
export { HttpClient } from './http/http.ts';
export { createAddressGuard } from './network/address-guard.ts';
export {
  createInMemoryPlaceStore,
  createInMemoryRequestBudgets,
} from './network/in-memory-request-budgets.ts';
export { type ProxyOptions, proxyFor } from './network/proxies.ts';
export type { RequestBudgets } from './network/request-budgets-port.ts';
export { type Slot, Slots } from './slots.ts';
export type { FetchOptions, Source, SourceContext, SourceReading, TakeBody } from './source.ts';
export type { UpstreamUsage } from './upstream-usage.ts';
