const QUOTE = 0x22;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const UPPER_E = 0x45;
const OPENING_BRACKET = 0x5b;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const LOWER_E = 0x65;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** The longest number without an exponent that is sure to be finite. */
const MAX_PLAIN_NUMBER_BYTES = 300;

/** What can be told of JSON without parsing it. */
export interface JsonScan {
  /** How deep its objects and lists lie in each other. Counted up to one more than `maxDepth`. */
  readonly depth: number;
  /** Whether a number in it may be larger than any that can be held. */
  readonly hasOddNumber: boolean;
  /** How many values it has in all. */
  readonly values: number;
  /** How many the longest of its lists has. */
  readonly entries: number;
  /** How many keys the largest of its objects has. */
  readonly keys: number;
}

/** The scan ends where one of them is passed. */
export interface ScanLimits {
  readonly maxDepth: number;
  readonly maxValues: number;
  readonly maxEntries: number;
  readonly maxKeys: number;
}

/**
 * Looks through JSON in UTF-8, in a quarter of the time of parsing it. Of what is no JSON it says something,
 * in bounded time and memory.
 */
export function scanJson(bytes: Uint8Array, limits: ScanLimits): JsonScan {
  const structure = new Structure(limits);
  let hasOddNumber = false;
  for (let index = 0; index < bytes.length && structure.isWithinLimits; index += 1) {
    const byte = bytes[index] ?? 0;
    if (byte === QUOTE) {
      index = endOfString(bytes, index);
    } else if (byte >= DIGIT_0 && byte <= DIGIT_9) {
      const end = endOfNumber(bytes, index);
      hasOddNumber ||= isOdd(bytes, index, end);
      index = end - 1;
    } else {
      structure.add(byte);
    }
  }
  const { depth, values, entries, keys } = structure;
  return { depth, values, entries, keys, hasOddNumber };
}

/** What brackets and commas say. */
class Structure {
  readonly #limits: ScanLimits;
  /** Entries of each list or object that is open, by its level. */
  readonly #counts: Uint32Array;
  readonly #areObjects: Uint8Array;
  #level = 0;
  isWithinLimits = true;
  depth = 0;
  values = 1;
  entries = 0;
  keys = 0;

  constructor(limits: ScanLimits) {
    this.#limits = limits;
    this.#counts = new Uint32Array(limits.maxDepth + 2);
    this.#areObjects = new Uint8Array(limits.maxDepth + 2);
  }

  add(byte: number): void {
    const change = depthChange(byte);
    if (change === 0 && byte !== COMMA) return;
    this.#level += change;
    if (change === -1) return;
    if (change === 1) this.#areObjects[this.#level] = byte === OPENING_BRACE ? 1 : 0;
    // One that has none counts as having one.
    this.#addEntry(change === 1 ? 1 : (this.#counts[this.#level] ?? 0) + 1);
  }

  #addEntry(count: number): void {
    const { maxDepth, maxValues, maxEntries, maxKeys } = this.#limits;
    this.#counts[this.#level] = count;
    this.values += 1;
    if (this.#areObjects[this.#level] === 1) this.keys = Math.max(this.keys, count);
    else this.entries = Math.max(this.entries, count);
    if (this.#level > this.depth) this.depth = this.#level;
    this.isWithinLimits =
      this.depth <= maxDepth &&
      this.values <= maxValues &&
      this.entries <= maxEntries &&
      this.keys <= maxKeys;
  }
}

function depthChange(byte: number): number {
  if (byte === OPENING_BRACE || byte === OPENING_BRACKET) return 1;
  return byte === CLOSING_BRACE || byte === CLOSING_BRACKET ? -1 : 0;
}

/** The index of the closing quote of the string that begins at `start`. */
function endOfString(bytes: Uint8Array, start: number): number {
  let index = start + 1;
  for (; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (byte === QUOTE) return index;
    if (byte === BACKSLASH) index += 1;
  }
  return index;
}

/** The index after the last byte of the number in which `start` lies. */
function endOfNumber(bytes: Uint8Array, start: number): number {
  let index = start;
  while (index < bytes.length && isOfNumber(bytes[index] ?? 0)) index += 1;
  return index;
}

function isOfNumber(byte: number): boolean {
  if (byte >= DIGIT_0 && byte <= DIGIT_9) return true;
  return byte === DOT || byte === LOWER_E || byte === UPPER_E || byte === MINUS || byte === PLUS;
}

function isOdd(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > MAX_PLAIN_NUMBER_BYTES) return true;
  for (let index = start; index < end; index += 1) {
    if (bytes[index] === LOWER_E || bytes[index] === UPPER_E) return true;
  }
  return false;
}
