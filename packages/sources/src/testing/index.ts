export {
  createInMemoryPlaceStore,
  createRequestBudgets,
} from '../network/request-budgets.ts';
export { DeltaUpstream, type TestRow } from './delta-source.ts';
export { describeRequestBudgets } from './describe-request-budgets.ts';
export { type GitHttpServer, startGitHttpServer } from './git/git-http-server.ts';
export { TestRepository } from './git/test-repository.ts';
export { localGuard } from './local-guard.ts';
