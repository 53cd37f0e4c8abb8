import { MAX_ENVELOPE_BYTES, MAX_ROW_BYTES } from '../limits.ts';
import { type Body, BodyBytes, notJson, reasonOf } from './body-bytes.ts';
import { type ItemReading, type ParsedValue, tooLarge } from './parsed-body.ts';
import { RowScanner } from './row-scanner.ts';

const OPENING_BRACKET = 0x5b;
const OPENING_BRACE = 0x7b;
/** How much of a row that is not parsed a reason shows, because its name is unknown. */
const SHOWN_BYTES = 80;

/**
 * Parses the envelope of a JSON body, and finds the body's rows. A parsed value is therefore never larger than one row
 * or the envelope. If an object has a key twice, the last value counts.
 *
 * @throws SynclineError `source-not-json`, `source-too-deep`, `source-envelope-too-large`, `source-too-many-rows`
 */
export function parseJson(body: Body): ParsedValue {
  const bytes = new BodyBytes(body);
  const start = bytes.start();
  const [first] = bytes.slice(start, start + 1);
  return first === OPENING_BRACKET || first === OPENING_BRACE
    ? new SplitJson(bytes, start)
    : parseScalar(bytes, start);
}

/** Parses a body that is no registry, so that the error can describe it. */
function parseScalar(bytes: BodyBytes, start: number): ParsedValue {
  if (bytes.length - start > MAX_ENVELOPE_BYTES) throw notJson(bytes.describeText(start));
  const value = parseText(bytes.text(start), () => bytes.describeText(start));
  const reading = { value };
  return {
    value,
    isSuspect: false,
    readItem: () => reading,
    readWhole: () => reading,
    finish: () => {},
  };
}

/** A JSON body, split into its envelope and its rows. */
class SplitJson implements ParsedValue {
  readonly value: unknown;
  readonly isSuspect: boolean;
  readonly #bytes: BodyBytes;
  readonly #start: number;
  readonly #rows: Pick<RowScanner, 'starts' | 'ends'>;
  readonly #isRead: Uint8Array;

  constructor(bytes: BodyBytes, start: number) {
    const scanner = new RowScanner(start);
    let offset = 0;
    for (const segment of bytes.segments) {
      scanner.add(segment.subarray(Math.max(start - offset, 0)));
      offset += segment.length;
    }
    this.#bytes = bytes;
    this.#start = start;
    this.#rows = scanner;
    this.#isRead = new Uint8Array(scanner.starts.length);
    this.isSuspect = scanner.isSuspect;
    const envelope = bytes.textOf(scanner.envelope);
    this.value = parseText(envelope, () => bytes.describeText(start));
  }

  readonly readItem = (item: unknown): ItemReading => {
    const row = Number(item);
    const start = this.#rows.starts[row];
    const end = this.#rows.ends[row];
    if (start === undefined || end === undefined) throw new Error(`the body has no row ${row}`);
    this.#isRead[row] = 1;
    return this.#read(start, end, () => `invalid or truncated JSON in row ${row + 1}`);
  };

  readonly readWhole = (): ItemReading => {
    this.#isRead.fill(1);
    return this.#read(this.#start, this.#bytes.length, () => 'invalid or truncated JSON');
  };

  readonly finish = (): void => {
    for (const [row, isRead] of this.#isRead.entries()) if (isRead === 0) this.readItem(row);
  };

  #read(start: number, end: number, describe: () => string): ItemReading {
    if (end - start > MAX_ROW_BYTES) {
      return tooLarge(end - start, this.#bytes.slice(start, start + SHOWN_BYTES));
    }
    return { value: parseText(this.#bytes.text(start, end), describe) };
  }
}

/** @throws SynclineError `source-not-json` with the description */
function parseText(text: string, describe: () => string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The position is one in the envelope or in the row.
    const [reason] = reasonOf(cause).split(' at position ');
    throw notJson(`${describe()} (${reason})`, { cause });
  }
}
