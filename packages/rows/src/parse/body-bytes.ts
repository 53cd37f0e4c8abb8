/** Reads the bytes of a body, and describes bytes that are not JSON. */
import { isUtf8 } from 'node:buffer';
import { SynclineError } from '@syncline/contract';

const JSON_EXPECTED = 'JSON in UTF-8';
/** How much of a body an error describes. */
const HEAD_BYTES = 1024;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** The bytes of a body, in one piece or in several. */
export type Body = Uint8Array | readonly Uint8Array[];

/** Gives access to the bytes of a body, without joining its pieces. */
export class BodyBytes {
  readonly segments: readonly Uint8Array[];
  readonly length: number;
  /** The offset of each segment. */
  readonly #offsets: number[] = [];

  constructor(body: Body) {
    this.segments = body instanceof Uint8Array ? [body] : body;
    let length = 0;
    for (const segment of this.segments) {
      this.#offsets.push(length);
      length += segment.length;
    }
    this.length = length;
  }

  /** Returns the bytes from `start` up to, but not including, `end`. Copies them only if they are in two segments. */
  slice(start: number, end: number): Buffer {
    const first = this.#segmentAt(start);
    const parts: Buffer[] = [];
    for (let index = first; index < this.segments.length; index += 1) {
      const offset = this.#offsets[index] ?? 0;
      if (offset >= end) break;
      const segment = this.segments[index] ?? new Uint8Array();
      parts.push(bufferOf(segment.subarray(Math.max(start - offset, 0), end - offset)));
    }
    const [only = Buffer.alloc(0)] = parts;
    return parts.length > 1 ? Buffer.concat(parts) : only;
  }

  /**
   * Returns the text from `start` up to, but not including, `end`.
   *
   * @throws SynclineError `source-not-json` if the bytes are not UTF-8
   */
  text(start = 0, end = this.length): string {
    return this.textOf(this.slice(start, end));
  }

  /** @throws SynclineError `source-not-json` if the bytes are not UTF-8 */
  textOf(bytes: Buffer, expected = JSON_EXPECTED): string {
    if (!isUtf8(bytes)) throw notJson(this.#describeBytes(), { expected });
    return bytes.toString('utf8');
  }

  /**
   * Returns the offset of the first byte that is neither a byte order mark nor white space.
   *
   * @throws SynclineError `source-not-json` for gzip data, and for text in UTF-16
   */
  start(expected = JSON_EXPECTED): number {
    const head = this.slice(0, BYTE_ORDER_MARK.length);
    if (isGzip(head) || isUtf16(head)) throw notJson(this.#describeBytes(), { expected });
    let offset = head.equals(Buffer.from(BYTE_ORDER_MARK)) ? BYTE_ORDER_MARK.length : 0;
    for (const [index, segment] of this.segments.entries()) {
      const base = this.#offsets[index] ?? 0;
      while (offset - base < segment.length) {
        if (!isSpace(segment[offset - base] ?? 0)) return offset;
        offset += 1;
      }
    }
    return this.length;
  }

  /** Returns what the body appears to be, if it is not JSON. */
  describeText(start: number): string {
    const text = this.slice(start, start + HEAD_BYTES).toString('utf8');
    if (text === '') return 'an empty body';
    if (/^<(!doctype html|html)/i.test(text)) return 'an HTML page';
    if (text.startsWith('<')) return 'XML';
    if (/^[[{]/.test(text)) return 'invalid or truncated JSON';
    return `text that is not JSON and starts with ${JSON.stringify(text.slice(0, 40))}`;
  }

  #describeBytes(): string {
    const head = this.slice(0, 2);
    if (isGzip(head)) return 'gzip data';
    if (isUtf16(head)) return 'text in UTF-16';
    return `${this.length} bytes that are not valid UTF-8, perhaps text in Latin-1`;
  }

  #segmentAt(offset: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }
}

export function notJson(
  what: string,
  { expected = JSON_EXPECTED, cause }: { expected?: string; cause?: unknown } = {},
) {
  return new SynclineError('source-not-json', `the source returned ${what}`, { expected, cause });
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Returns whether JSON permits a byte between two values. */
export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function isGzip([first, second]: Uint8Array): boolean {
  return first === 0x1f && second === 0x8b;
}

/**
 * Returns whether the first two bytes are a UTF-16 byte order mark, or exactly one is NUL. JSON begins with ASCII.
 */
function isUtf16([first, second]: Uint8Array): boolean {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  return second !== undefined && (first === 0) !== (second === 0);
}
