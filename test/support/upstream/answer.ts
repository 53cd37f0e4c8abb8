import { STATUS_CODES } from 'node:http';

/** One page of a list: the JSON of each row, and the cursor of the next page. */
export interface Page {
  readonly rows: readonly Buffer[];
  readonly nextCursor?: string | undefined;
}

/** The upstream's normal answer to a request. A test's script may change it. */
export type Answer =
  | { readonly kind: 'page'; readonly page: Page }
  | { readonly kind: 'row'; readonly json: Buffer }
  | { readonly kind: 'problem'; readonly status: number; readonly body: string }
  | { readonly kind: 'redirect'; readonly location: string };

/** Returns an error in the format `application/problem+json`. */
export function problem(status: number, detail: string, errors: readonly string[] = []): Answer {
  const title = STATUS_CODES[status] ?? 'Error';
  const body = {
    title,
    status,
    detail,
    ...(errors.length > 0 && { errors: errors.map((message) => ({ message })) }),
  };
  return { kind: 'problem', status, body: JSON.stringify(body) };
}

/**
 * Returns the JSON of a page, joined from the bytes of its rows. `cursorName` is the spelling of
 * `nextCursor`.
 */
export function pageBody(page: Page, cursorName: 'nextCursor' | 'next_cursor'): Buffer {
  const parts: Buffer[] = [PAGE_START];
  for (const [index, row] of page.rows.entries()) {
    if (index > 0) parts.push(COMMA);
    parts.push(row);
  }
  const metadata = {
    count: page.rows.length,
    ...(page.nextCursor !== undefined && { [cursorName]: page.nextCursor }),
  };
  parts.push(Buffer.from(`],"metadata":${JSON.stringify(metadata)}}\n`));
  return Buffer.concat(parts);
}

const PAGE_START = Buffer.from('{"servers":[');
const COMMA = Buffer.from(',');
