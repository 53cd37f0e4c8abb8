/**
 * The most bytes of the rows on a page. 100 real rows have 220 KB, but 100 rows of the greatest size would take 25 MB
 * of memory for each reader. To send a page of this size blocks the event loop for several milliseconds.
 */
const MAX_PAGE_BYTES = 1024 * 1024;

/** Collects the items of a page and their JSON, up to a number of items and of bytes. */
export class Page<Item> {
  readonly items: Item[] = [];
  readonly #texts: string[] = [];
  readonly #limit: number;
  #bytes = 0;

  constructor({ limit = Number.POSITIVE_INFINITY }: { limit?: number } = {}) {
    this.#limit = limit;
  }

  /** Adds an item. @returns false if the page is full. A page has at least one item, of any size */
  add(item: Item): boolean {
    if (this.items.length >= this.#limit) return false;
    const text = JSON.stringify(item);
    const bytes = Buffer.byteLength(text) + 1;
    if (this.items.length > 0 && this.#bytes + bytes > MAX_PAGE_BYTES) return false;
    this.items.push(item);
    this.#texts.push(text);
    this.#bytes += bytes;
    return true;
  }

  /** Returns the JSON of the list of items. */
  json(): string {
    return `[${this.#texts.join(',')}]`;
  }
}
