export {
  alternativesOf,
  configJsonSchema,
  isDuration,
  itemSchema,
  type JsonSchema,
  propertiesOf,
  valueSchema,
} from './json-schema.ts';
export {
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
  parseConfig,
  registryProblems,
} from './load-config.ts';
export {
  ConfigError,
  type ConfigProblem,
  type ConfigWarning,
  formatProblem,
} from './problem.ts';
export { type WatchConfigOptions, watchConfig } from './watch-config.ts';
