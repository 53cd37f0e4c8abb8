import type { z } from 'zod';
import { type RegistryConfig, registryConfigSchema } from '../config/registry.ts';

/** Returns a parsed file registry with the name `alpha`, with `changes` applied. */
export function registryConfig(
  changes: Partial<z.input<typeof registryConfigSchema>> = {},
): RegistryConfig {
  return registryConfigSchema.parse({ name: 'alpha', file: { path: '/alpha.json' }, ...changes });
}
