import { type ConfigInput, configSchema, syncTargets } from '@syncline/contract';
import type { ConfigSource } from '../ports/config-source.ts';

/** A config that stays the same until a test replaces it. The next refresh returns the new config. */
export interface StaticConfigSource extends ConfigSource {
  replace(config: ConfigInput): void;
}

/** Creates the source. @param initial the config as people write it; `undefined` for no config */
export function createStaticConfigSource(initial: ConfigInput | undefined): StaticConfigSource {
  let next = initial === undefined ? undefined : parse(initial);
  let current = next;
  return {
    current: () => current?.config,
    registry: (name) => current?.targets.find((target) => target.name === name),
    targets: () => current?.targets ?? [],
    refresh: async () => {
      current = next;
    },
    replace: (config) => {
      next = parse(config);
    },
  };
}

function parse(input: ConfigInput) {
  const config = configSchema.parse(input);
  return { config, targets: syncTargets(config) };
}
