import type { Config, RegistryConfig } from '@syncline/contract';

/** The current config. */
export interface ConfigSource {
  /** Returns the last config that was read, or `undefined` before the first read. */
  current(): Config | undefined;
  /** Returns the registry with this name, or the derived registry of a catalog with this id, from the last config. */
  registry(name: string): RegistryConfig | undefined;
  /** Returns all registries, then the derived registries of catalogs. An unchanged config keeps the same objects. */
  targets(): readonly RegistryConfig[];
  /**
   * Reads the config again, unless a call has read it within `maxAgeMs` (default 0). Keeps the last config if the store
   * has none.
   */
  refresh(options?: { maxAgeMs?: number }): Promise<void>;
}
