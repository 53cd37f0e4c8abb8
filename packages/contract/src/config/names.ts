import { z } from 'zod';

const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

/** Names of registries and catalogs: a DNS label. */
export const registryNameSchema = z
  .string()
  .regex(new RegExp(`^${LABEL}$`), {
    error:
      'expected 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit',
  })
  .meta({ description: 'Unique name: 1 to 63 characters of `a-z`, `0-9` and `-`.' });

/** What the id of a catalog's derived registry begins with. No registry's name can have a dot. */
const CATALOG_PREFIX = 'catalog.';

/**
 * What is synced is known by: a registry by its name, the derived registry of the catalog `default` as
 * `catalog.default`.
 */
export const targetIdSchema = z.string().regex(new RegExp(`^(catalog\\.)?${LABEL}$`), {
  error: 'expected the name of a registry, or of a catalog after `catalog.`',
});

/** The id of the derived registry in which a catalog is materialised. */
export function catalogTargetId(catalog: string): string {
  return `${CATALOG_PREFIX}${catalog}`;
}
