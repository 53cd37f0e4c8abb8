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

/** Names of everything that is synced: a registry by its name, a catalog's derived registry as `catalog.default`. */
export const targetIdSchema = z.string().regex(new RegExp(`^(catalog\\.)?${LABEL}$`), {
  error: 'expected the name of a registry, or of a catalog after `catalog.`',
});

/** Returns the name of a catalog's derived registry. It has a dot, which no registry's name can have. */
export function catalogTargetId(catalog: string): string {
  return `catalog.${catalog}`;
}

/** Reports each item of a list whose `key` an earlier item has too. `keyPath` leads from the item to its key. */
export function uniqueBy<Item>(
  key: (item: Item) => string,
  message: (item: Item, firstIndex: number) => string,
  keyPath: readonly string[] = [],
) {
  return ({ value: items, issues }: z.core.ParsePayload<Item[]>): void => {
    const keys = items.map(key);
    for (const [index, item] of items.entries()) {
      const first = keys.indexOf(key(item));
      if (first === index) continue;
      const path = [index, ...keyPath];
      issues.push({
        code: 'custom',
        input: item,
        path,
        message: message(item, first),
        continue: true,
      });
    }
  };
}
