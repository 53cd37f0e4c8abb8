import type { Config, RegistryConfig } from '@syncline/contract';

/** The config in force. */
export interface ConfigSource {
  /** The config last read; `undefined` before the first. */
  current(): Config | undefined;
  /** The registry of that name in the config last read, or the derived one of a catalog of that id. */
  registry(name: string): RegistryConfig | undefined;
  /** All registries, then all catalogs. The same objects as long as the config is the same. */
  targets(): readonly RegistryConfig[];
  /**
   * Reads the config again, unless that was done within `maxAgeMs` (default 0). Keeps the last config if the store has
   * no config.
   */
  refresh(options?: { maxAgeMs?: number }): Promise<void>;
}
