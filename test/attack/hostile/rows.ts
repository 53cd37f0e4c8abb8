/** Returns the JSON of one row of an api, as an upstream sends it. */
export function rowJson(name: string, more: object = {}): string {
  const server = { name: `com.hostile/${name}`, version: '1.0.0', description: 'a row', ...more };
  return JSON.stringify({ server });
}

/** Returns the JSON of one page of an api. */
export function pageJson(rows: readonly string[], nextCursor?: string): string {
  const metadata = { count: rows.length, ...(nextCursor !== undefined && { nextCursor }) };
  return `{"servers":[${rows.join(',')}],"metadata":${JSON.stringify(metadata)}}`;
}

/** Returns the cursor of a request of a page, or an empty text for the first page. */
export function cursorOf(url: string | undefined): string {
  return new URL(url ?? '/', 'http://upstream').searchParams.get('cursor') ?? '';
}

/** Returns the page number that a cursor of {@link cursorOf} names, from 0. */
export function pageNumberOf(url: string | undefined): number {
  return Number(cursorOf(url) || 0);
}
