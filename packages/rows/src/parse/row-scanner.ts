/**
 * Finds the rows of a JSON body without parsing the body, so that Syncline can parse one row at a time. The rest of the
 * body is the envelope. In the envelope, each row is replaced by its number:
 *
 *     {"servers":[{"name":"a"},{"name":"b"}],"metadata":{}}   →   {"servers":[0,1],"metadata":{}}
 *
 * The scanner only knows strings and brackets. If the envelope and every row are valid JSON, the body is valid JSON, and
 * the scanner has found the right boundaries. In any other case, the envelope or a row is no valid JSON.
 */
import { SynclineError } from '@syncline/contract';
import { MAX_BODY_DEPTH, MAX_ENVELOPE_BYTES, MAX_ROW_DEPTH, MAX_ROWS } from '../limits.ts';
import { isSpace } from './body-bytes.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const SPACE = 0x20;

const DIGIT = 1;
const EXPONENT = 2;
const STRING = 3;
const OPENING = 4;
const CLOSING = 5;
const SEPARATOR = 6;
/** How the number of open lists and objects changes, by kind. */
const STEPS = new Int8Array(7);
STEPS[OPENING] = 1;
STEPS[CLOSING] = -1;
/** What each byte means in a row, outside of texts. */
const KINDS = new Uint8Array(256);
for (const [kind, bytes] of [
  [DIGIT, '0123456789'],
  [EXPONENT, 'eE'],
  [STRING, '"'],
  [OPENING, '[{'],
  [CLOSING, ']}'],
  [SEPARATOR, ','],
] as const) {
  for (const byte of Buffer.from(bytes)) KINDS[byte] = kind;
}

/** A number without an exponent and with at most this many digits is always finite. */
const MAX_PLAIN_DIGITS = 300;
/** A key of a known list, even if each of its characters is written as an escape sequence. */
const MAX_KEY_BYTES = 100;

/** The part of the body that a list or an object is. */
type Part = 'root' | 'data' | 'groups' | 'group' | 'list' | 'map' | 'other';

/** The lists or maps of rows, by the object that contains them. Each of their values is a row. */
const KEYS_OF_ROWS: Partial<Record<Part, ReadonlySet<string>>> = {
  root: new Set(['servers', 'remote_servers']),
  data: new Set(['servers', 'skills', 'plugins']),
  group: new Set(['servers', 'remote_servers']),
};

/** Takes the bytes of a body in any number of pieces. */
export class RowScanner {
  /** The offset of each row's first byte, and the offset after each row. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Whether a row may have a number that is too large for JavaScript, or may nest too deep. */
  isSuspect = false;
  readonly #envelope = new Envelope();
  /** The parts that are open, from the outermost to the innermost. */
  readonly #parts: Part[] = [];
  /** The offset of the current piece. */
  #offset = 0;
  #isInRow = false;
  #isInString = false;
  #isEscaped = false;
  /** How many lists and objects of the row are open. */
  #level = 0;
  /** How many digits the number before the next byte has. */
  #digits = 0;
  /** Whether the next value of the list or map is a row. */
  #expectsRow = false;

  /** @param offset the offset of the first byte in the body */
  constructor(offset: number) {
    this.#offset = offset;
  }

  /** The envelope's bytes. */
  get envelope(): Buffer {
    return this.#envelope.bytes;
  }

  /** @throws SynclineError `source-too-deep`, `source-envelope-too-large`, `source-too-many-rows` */
  add(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; ) {
      if (!this.#isInRow) index = this.#scanEnvelope(bytes, index);
      else if (this.#isInString) index = this.#endOfString(bytes, index);
      else index = this.#scanRow(bytes, index);
    }
    this.#offset += bytes.length;
  }

  /** Scans a row. Returns the index after the row, or the end of the bytes. */
  #scanRow(bytes: Uint8Array, start: number): number {
    let digits = this.#digits;
    let level = this.#level;
    let index = start;
    for (; index < bytes.length; index += 1) {
      const kind = KINDS[bytes[index] ?? 0] ?? 0;
      if (kind === DIGIT) {
        digits += 1;
        continue;
      }
      if (digits > MAX_PLAIN_DIGITS || (kind === EXPONENT && digits > 0)) this.isSuspect = true;
      digits = 0;
      if (kind === STRING) {
        index = this.#endOfString(bytes, index + 1) - 1;
      } else if (kind >= OPENING) {
        if (level === 0 && kind !== OPENING) return this.#endRow(index);
        level += STEPS[kind] ?? 0;
        this.#noteDepth(this.#parts.length + level);
      }
    }
    this.#digits = digits;
    this.#level = level;
    return index;
  }

  #endRow(index: number): number {
    this.ends.push(this.#offset + index);
    this.#isInRow = false;
    return index;
  }

  /** Scans the envelope. Returns the index of the next row, or the end of the bytes. */
  #scanEnvelope(bytes: Uint8Array, start: number): number {
    for (let index = start; index < bytes.length; ) {
      const byte = bytes[index] ?? 0;
      if (this.#isInString || (byte === QUOTE && !this.#expectsRow)) {
        const from = index;
        if (!this.#isInString) this.#envelope.startString();
        index = this.#endOfString(bytes, this.#isInString ? index : index + 1);
        this.#envelope.add(bytes.subarray(from, index));
        continue;
      }
      if (this.#expectsRow && !isSpace(byte) && !endsValue(byte)) {
        this.#startRow(index);
        return index;
      }
      if (isSpace(byte)) this.#envelope.addSpace();
      else this.#addToEnvelope(byte);
      index += 1;
    }
    return bytes.length;
  }

  #startRow(index: number): void {
    if (this.starts.length === MAX_ROWS) throw tooManyRows();
    this.#envelope.addNumber(this.starts.length);
    this.starts.push(this.#offset + index);
    this.#isInRow = true;
    this.#expectsRow = false;
    this.#level = 0;
    this.#digits = 0;
  }

  #addToEnvelope(byte: number): void {
    const part = this.#parts.at(-1);
    if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
      this.#open(byte, part);
    } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
      this.#parts.pop();
      this.#expectsRow = false;
    } else if (byte === COMMA) {
      this.#expectsRow = part === 'list';
    } else if (byte === COLON) {
      this.#expectsRow = part === 'map';
    }
    if (byte === COMMA && (part === 'list' || part === 'map')) this.#envelope.addFree(byte);
    else this.#envelope.addByte(byte);
  }

  #open(byte: number, outer: Part | undefined): void {
    const part = this.#partOf(byte, outer);
    this.#parts.push(part);
    this.#noteDepth(this.#parts.length);
    this.#expectsRow = part === 'list';
  }

  #partOf(byte: number, outer: Part | undefined): Part {
    const isList = byte === OPENING_BRACKET;
    if (outer === undefined) return isList ? 'list' : 'root';
    if (outer === 'groups') return isList ? 'other' : 'group';
    const keys = KEYS_OF_ROWS[outer];
    if (keys === undefined) return 'other';
    const key = this.#envelope.lastString();
    if (keys.has(key)) return isList ? 'list' : 'map';
    if (outer === 'root' && key === 'data' && !isList) return 'data';
    if (outer === 'root' && key === 'groups' && isList) return 'groups';
    return 'other';
  }

  #noteDepth(depth: number): void {
    if (depth <= MAX_ROW_DEPTH) return;
    this.isSuspect = true;
    if (depth > MAX_BODY_DEPTH) throw tooDeep();
  }

  /** Returns the index after the string's closing quote, or the end of the bytes. */
  #endOfString(bytes: Uint8Array, start: number): number {
    let index = this.#isEscaped ? start + 1 : start;
    this.#isEscaped = false;
    for (; index < bytes.length; index += 1) {
      const byte = bytes[index];
      if (byte === QUOTE) {
        this.#isInString = false;
        return index + 1;
      }
      if (byte === BACKSLASH) index += 1;
    }
    this.#isInString = true;
    // The escape sequence continues in the next piece.
    this.#isEscaped = index > bytes.length;
    return bytes.length;
  }
}

export function tooDeep(cause?: unknown): SynclineError {
  const message = `the source returned a body with too many nested levels. The limit is ${MAX_BODY_DEPTH}`;
  return new SynclineError('source-too-deep', message, { cause });
}

export function tooManyRows(): SynclineError {
  const message = `the source has too many rows. The limit is ${MAX_ROWS}`;
  return new SynclineError('source-too-many-rows', message);
}

function endsValue(byte: number): boolean {
  return byte === COMMA || byte === CLOSING_BRACE || byte === CLOSING_BRACKET;
}

/** Returns whether white space after a byte has no meaning. Between two numbers, it has. */
function endsToken(byte: number): boolean {
  return (
    endsValue(byte) ||
    byte === COLON ||
    byte === QUOTE ||
    byte === OPENING_BRACE ||
    byte === OPENING_BRACKET ||
    byte === SPACE
  );
}

/** The bytes outside of the rows, without needless white space. */
class Envelope {
  #buffer = Buffer.allocUnsafe(4_096);
  #length = 0;
  /** The bytes that count for the limit. */
  #size = 0;
  #stringStart = 0;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  startString(): void {
    this.#stringStart = this.#length;
  }

  /** Returns the content of the last string, or an empty text for a long or invalid string. */
  lastString(): string {
    const bytes = this.#buffer.subarray(this.#stringStart, this.#length - 1);
    const end = bytes.lastIndexOf(QUOTE);
    if (end <= 0 || end > MAX_KEY_BYTES) return '';
    try {
      return String(JSON.parse(bytes.toString('utf8', 0, end + 1)));
    } catch {
      return '';
    }
  }

  /** @throws SynclineError `source-envelope-too-large` */
  add(bytes: Uint8Array): void {
    this.#reserve(bytes.length, { isFree: false });
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  addByte(byte: number): void {
    this.#reserve(1, { isFree: false });
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  /** Adds a byte that does not count, because the number of rows has its own limit. */
  addFree(byte: number): void {
    this.#reserve(1, { isFree: true });
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  addNumber(number: number): void {
    for (const digit of String(number)) this.addFree(digit.charCodeAt(0));
  }

  /** Adds one byte of any amount of white space, and only between two values. */
  addSpace(): void {
    const last = this.#buffer[this.#length - 1] ?? SPACE;
    if (!endsToken(last)) this.addByte(SPACE);
  }

  #reserve(bytes: number, { isFree }: { isFree: boolean }): void {
    if (!isFree) this.#size += bytes;
    if (this.#size > MAX_ENVELOPE_BYTES) {
      const limit = `The limit is ${MAX_ENVELOPE_BYTES}`;
      const message = `the source returned too many bytes outside of its rows. ${limit}`;
      throw new SynclineError('source-envelope-too-large', message);
    }
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
    this.bytes.copy(larger);
    this.#buffer = larger;
  }
}
