export { type CatalogConfig, derivedRegistry } from './catalog.ts';
export type { ConfigCheck, ConfigIssue } from './check.ts';
export {
  type Config,
  type ConfigInput,
  catalogTarget,
  configSchema,
  dependentsOf,
  syncTargets,
} from './config.ts';
export { catalogTargetId, registryNameSchema, targetIdSchema } from './names.ts';
export type { NetworkConfig } from './network.ts';
export type { Filter, Guard } from './policy.ts';
export {
  describeSource,
  type RegistryConfig,
  registryConfigSchema,
  type SourceKind,
  sourceKind,
  staleAfterMs,
} from './registry.ts';
export { isLocalRepository } from './sources.ts';
