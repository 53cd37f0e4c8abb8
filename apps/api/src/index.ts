export { createApp } from './app.ts';
export { type ControlPolicy, createControlPolicy } from './control-policy.ts';
export type { ApiDependencies } from './dependencies.ts';
export { type ApiService, startApi } from './start-api.ts';
