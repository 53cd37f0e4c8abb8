export { type ApiService, startApi } from './start-api.ts';
