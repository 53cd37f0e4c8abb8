import { z } from 'zod';

const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

/** The name of a registry or a catalog: a DNS label. */
export const registryNameSchema = z
  .string()
  .regex(new RegExp(`^${LABEL}$`), {
    error: 'use 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit',
  })
  .meta({ description: 'Unique name: 1 to 63 characters of `a-z`, `0-9` and `-`.' });

/** The name of a sync target: a registry, or a catalog's derived registry such as `catalog.default`. */
export const targetIdSchema = z.string().regex(new RegExp(`^(catalog\\.)?${LABEL}$`), {
  error: 'use the name of a registry, or of a catalog after `catalog.`',
});

/** Returns the name of a catalog's derived registry. The dot avoids a clash with the name of a configured registry. */
export function catalogTargetId(catalog: string): string {
  return `catalog.${catalog}`;
}

/** Whether web pages of other origins may read the rows under this name. */
export const corsSchema = z.boolean().optional();

/** Returns a check that reports each item with the `key` of an earlier item. `keyPath` is the key's path in an item. */
export function uniqueBy<Item>(
  key: (item: Item) => string,
  message: (item: Item, firstIndex: number) => string,
  keyPath: readonly string[] = [],
) {
  return ({ value: items, issues }: z.core.ParsePayload<Item[]>): void => {
    const firstOf = new Map<string, number>();
    for (const [index, item] of items.entries()) {
      const first = firstOf.get(key(item));
      if (first === undefined) {
        firstOf.set(key(item), index);
        continue;
      }
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
