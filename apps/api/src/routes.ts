import { getCatalog, getCatalogs, getConflicts } from './handlers/catalogs.ts';
import {
  postApprove,
  postPreview,
  postResume,
  postRollback,
  postSuspend,
  postSync,
  postSyncAll,
} from './handlers/control.ts';
import {
  getHealth,
  getMetrics,
  getOpenApi,
  getReadiness,
  getVersionOfSyncline,
} from './handlers/process.ts';
import { getRegistries, getRegistry, getRequest, getRun, getRuns } from './handlers/registries.ts';
import { get, open, post, type Route } from './http/route.ts';

/**
 * The routes of the api, except Bull Board and the MCP Registry API. `openapi.yaml` describes each
 * route.
 */
export const ROUTES: readonly Route[] = [
  // Some clients read this document to detect the kind of registry.
  open('/registry/{catalog}/openapi.yaml', getOpenApi, { cost: 'state' }),

  get('/v1/registries', getRegistries),
  get('/v1/registries/{name}', getRegistry),
  get('/v1/registries/{name}/runs', getRuns),
  get('/v1/registries/{name}/requests/{request}', getRequest),
  post('/v1/registries/{name}/sync', postSync),
  post('/v1/registries/{name}/preview', postPreview),
  post('/v1/registries/{name}/suspend', postSuspend),
  post('/v1/registries/{name}/resume', postResume),
  post('/v1/registries/{name}/rollback', postRollback),
  post('/v1/registries/{name}/approve', postApprove),
  post('/v1/sync', postSyncAll),
  get('/v1/runs/{id}', getRun),
  get('/v1/catalogs', getCatalogs),
  get('/v1/catalogs/{name}', getCatalog),
  get('/v1/catalogs/{name}/conflicts', getConflicts, { cost: 'scan' }),

  open('/health', getHealth),
  open('/readiness', getReadiness),
  open('/version', getVersionOfSyncline),
  get('/metrics', getMetrics),
  open('/openapi.yaml', getOpenApi, { cost: 'state' }),
];
