import { type ConfigInput, configSchema, syncTargets } from '@syncline/contract';
import type { ConfigSource } from '../ports/config-source.ts';

/** A config that stays as it is, until a test replaces it: that is seen from the next refresh on. */
export interface StaticConfigSource extends ConfigSource {
  replace(config: ConfigInput): void;
}

/** @param initial as people write it; `undefined` for none at all */
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
