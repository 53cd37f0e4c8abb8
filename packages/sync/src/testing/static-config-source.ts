import { type Config, type ConfigInput, configSchema } from '@syncline/contract';
import type { ConfigSource } from '../ports.ts';

/** A config that stays as it is, until a test replaces it: that is seen from the next refresh on. */
export interface StaticConfigSource extends ConfigSource {
  replace(config: ConfigInput): void;
}

/** @param initial as people write it; `undefined` for none at all */
export function createStaticConfigSource(initial: ConfigInput | undefined): StaticConfigSource {
  let next = initial === undefined ? undefined : configSchema.parse(initial);
  let current: Config | undefined = next;
  return {
    current: () => current,
    registry: (name) => current?.registries.find((registry) => registry.name === name),
    refresh: async () => {
      current = next;
    },
    replace: (config) => {
      next = configSchema.parse(config);
    },
  };
}
