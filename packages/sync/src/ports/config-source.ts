import type { Config, RegistryConfig } from '@syncline/contract';

/** What is to be synced, as the config in force says. */
export interface ConfigSource {
  /** The config last read; `undefined` before the first. */
  current(): Config | undefined;
  /** The registry of that name in the config last read, or the derived one of a catalog of that id. */
  registry(name: string): RegistryConfig | undefined;
  /** All that is run: registries, then catalogs. The same objects as long as the config is the same. */
  targets(): readonly RegistryConfig[];
  /**
   * Reads it again, unless that was done within `maxAgeMs` (default 0). Keeps the last one where there is
   * none to be read.
   */
  refresh(options?: { maxAgeMs?: number }): Promise<void>;
}
