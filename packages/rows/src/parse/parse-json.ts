import { constants, isUtf8 } from 'node:buffer';
import { SynclineError } from '@syncline/contract';
import { MAX_ROW_DEPTH } from './find-flaw.ts';
import { scanJson } from './scan-json.ts';

/**
 * A body that nests deeper is refused as a whole, before it is parsed. What lies between this and
 * {@link MAX_ROW_DEPTH} costs its row only.
 */
const MAX_BODY_DEPTH = 1_000;

/**
 * Parsing cannot be ended in the middle, nor does a thread's heap limit hold there: a list that is longer than
 * what is left of the heap ends the whole process. So a body that packs more into its bytes is refused
 * before. Rows have some 30 bytes a value, so that the largest file has less than this.
 */
const MAX_BODY_VALUES = 20_000_000;
/** Of one list. No list of rows may be longer either. */
const MAX_ENTRIES = 2_000_000;
/** Of one object, which needs more at once than a list. ToolHive's legacy map has a key a server. */
const MAX_KEYS = 200_000;

/** A value out of a body. */
export interface ParsedValue {
  readonly value: unknown;
  /** Whether rows in it may have what JSON cannot say, or nest too deep. */
  readonly isSuspect: boolean;
}

/**
 * Of a key that an object has twice the last one counts, as everywhere in JavaScript.
 *
 * @throws SynclineError `source-not-json`, `source-too-deep`, `source-too-large`
 */
export function parseJson(body: Uint8Array): ParsedValue {
  const expected = 'JSON in UTF-8';
  const text = decodeText(body, { expected });
  const { depth, hasOddNumber, values, entries, keys } = scanJson(body, {
    maxDepth: MAX_BODY_DEPTH,
    maxValues: MAX_BODY_VALUES,
    maxEntries: MAX_ENTRIES,
    maxKeys: MAX_KEYS,
  });
  if (/^\s*[[{]/.test(text)) {
    if (depth > MAX_BODY_DEPTH) throw tooDeep();
    if (entries > MAX_ENTRIES) throw tooMany(`${MAX_ENTRIES} entries in one list`);
    if (keys > MAX_KEYS) throw tooMany(`${MAX_KEYS} keys in one object`);
    if (values > MAX_BODY_VALUES) throw tooMany(`${MAX_BODY_VALUES} values in one body`);
  }
  try {
    return { value: JSON.parse(text), isSuspect: depth > MAX_ROW_DEPTH || hasOddNumber };
  } catch (cause) {
    throw notJson(`${describeText(text)} (${reasonOf(cause)})`, { expected, cause });
  }
}

/**
 * The text of a body, without a byte order mark.
 *
 * @throws SynclineError `source-not-json`, `source-too-large`
 */
export function decodeText(body: Uint8Array, { expected }: { expected: string }): string {
  if (!isUtf8(body) || isUtf16(body)) throw notJson(describeBytes(body), { expected });
  if (body.length > constants.MAX_STRING_LENGTH) {
    throw new SynclineError('source-too-large', `the source gave ${body.length} bytes in one body`);
  }
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    .toString('utf8')
    .replace(/^\ufeff/, '');
}

export function notJson(what: string, options: { expected: string; cause?: unknown }) {
  return new SynclineError('source-not-json', `the source gave ${what}`, options);
}

export function tooDeep(cause?: unknown): SynclineError {
  return new SynclineError('source-too-deep', 'the source gave a body that nests too deep', {
    expected: `at most ${MAX_BODY_DEPTH} levels`,
    cause,
  });
}

function tooMany(limit: string): SynclineError {
  return new SynclineError('source-too-large', `the source gave more than ${limit}`, {
    expected: 'a registry within that limit',
  });
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function describeBytes(body: Uint8Array): string {
  if (body[0] === 0x1f && body[1] === 0x8b) return 'gzip data';
  if (isUtf16(body)) return 'text in UTF-16';
  return `${body.length} bytes that are no UTF-8, perhaps text in Latin-1`;
}

/** With its byte order mark; or without, since JSON begins with ASCII, of which UTF-16 has half a NUL. */
function isUtf16([first, second]: Uint8Array): boolean {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  return second !== undefined && (first === 0) !== (second === 0);
}

function describeText(text: string): string {
  const start = text.trimStart();
  if (start === '') return 'an empty body';
  if (/^<(!doctype html|html)/i.test(start)) return 'an HTML page';
  if (start.startsWith('<')) return 'XML';
  if (/^[[{]/.test(start)) return 'JSON that is broken or cut off';
  return `text that is no JSON, beginning with ${JSON.stringify(start.slice(0, 40))}`;
}
