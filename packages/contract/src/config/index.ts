export { type CatalogConfig, derivedRegistry } from './catalog.ts';
export {
  type Config,
  type ConfigCheck,
  type ConfigInput,
  type ConfigIssue,
  catalogTarget,
  configSchema,
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
  sourceIdentity,
  sourceKind,
  staleAfterMs,
} from './registry.ts';
export type { SourcePath } from './sources/define-source.ts';
export {
  CONFIGURED_SOURCE_KINDS,
  type ConfiguredSourceKind,
  configuredSource,
  SOURCE_KINDS,
  type SourceBlocks,
  type Sources,
  sourcePaths,
} from './sources/index.ts';
