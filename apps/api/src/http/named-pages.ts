import { SynclineError } from '@syncline/contract';
import { beginSlices, Page, pageLimit } from '@syncline/serving';
import { z } from 'zod';

/** The query of a list of registries or catalogs. The default is enough for nearly all installations. */
export const namedPageQuery = z.object({
  limit: pageLimit({ most: 1_000, fallback: 500 }),
  cursor: z.string().max(1_000).optional(),
});

/** To create so many views takes a few milliseconds. */
const VIEWS_PER_STEP = 50;

/** The last item of a page. If the config no longer has its name, the next page starts at its position. */
const cursorSchema = z.strictObject({ name: z.string(), index: z.int().nonnegative() });

interface NamedPagesOptions<Item, View> {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly signal: AbortSignal;
  /** Returns the views of items, without those that a filter leaves out, each with its item's name. */
  readonly viewsOf: (items: readonly Item[]) => Promise<readonly View[]>;
}

/**
 * Returns one page of a list in the order of the config, as the JSON of the list and the cursor of the next page.
 *
 * @throws {SynclineError} `bad-request` for an invalid cursor
 */
export async function namedPage<Item extends { name: string }, View extends { name: string }>(
  items: readonly Item[],
  { limit, cursor, signal, viewsOf }: NamedPagesOptions<Item, View>,
): Promise<{ json: string; nextCursor: string | undefined }> {
  const page = new Page<View>({ limit });
  const start = cursor === undefined ? 0 : startOf(cursor, items);
  const slices = await beginSlices(signal);
  for (let index = start; index < items.length; index += VIEWS_PER_STEP) {
    for (const view of await viewsOf(items.slice(index, index + VIEWS_PER_STEP))) {
      const last = page.items.at(-1);
      if (!page.add(view) && last !== undefined) {
        const { name } = last;
        const position = { name, index: items.findIndex((item) => item.name === name) };
        return { json: page.json(), nextCursor: encode(position) };
      }
      if (slices.isOver()) await slices.pause();
    }
    await slices.pause();
  }
  return { json: page.json(), nextCursor: undefined };
}

function startOf(cursor: string, items: readonly { name: string }[]): number {
  const parsed = cursorSchema.safeParse(decode(cursor));
  if (parsed.success) {
    const { name, index } = parsed.data;
    if (items[index]?.name === name) return index + 1;
    const moved = items.findIndex((item) => item.name === name);
    return moved < 0 ? index : moved + 1;
  }
  const advice = 'use the nextCursor of an earlier page, unchanged';
  throw new SynclineError('bad-request', `invalid query: cursor: ${advice}`);
}

function encode(position: z.input<typeof cursorSchema>): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}
