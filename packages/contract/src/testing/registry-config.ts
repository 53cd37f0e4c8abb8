import type { z } from 'zod';
import { type RegistryConfig, registryConfigSchema } from '../config/registry.ts';

/** A registry of the config, parsed; a file registry of the name `alpha` but for what is given. */
export function registryConfig(
  changes: Partial<z.input<typeof registryConfigSchema>> = {},
): RegistryConfig {
  return registryConfigSchema.parse({ name: 'alpha', file: { path: '/alpha.json' }, ...changes });
}
