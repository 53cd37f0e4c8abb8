import { MAX_ROW_BYTES, MAX_ROW_DEPTH } from '../limits.ts';

/** A row, skill or plugin of a body, or the reason why Syncline does not read it, as a predicate. */
export type ItemReading = { readonly value: unknown } | { readonly flaw: string };

/** A body whose rows, skills and plugins are read one at a time. */
export interface ParsedValue {
  /** The body. An item may be a number that stands for it. */
  readonly value: unknown;
  /** Whether a row may nest too deep, or may have a number that JSON cannot express. */
  readonly isSuspect: boolean;
  /** Reads an item. @throws SynclineError `source-not-json` */
  readonly readItem: (item: unknown) => ItemReading;
  /** Reads the whole body as one item. @throws SynclineError `source-not-json` */
  readonly readWhole: () => ItemReading;
  /** Parses the items that were not read. @throws SynclineError `source-not-json` */
  readonly finish: () => void;
}

/** Returns the reading of an item that is larger than a row may be. @param start the first bytes of the item */
export function tooLarge(bytes: number, start: Buffer): ItemReading {
  const text = start.toString('utf8').replace(/\s+/g, ' ');
  return { flaw: `has ${bytes} bytes. The limit is ${MAX_ROW_BYTES}. It starts with ${text}` };
}

/**
 * Returns why Syncline cannot store a value, as a predicate. The value nests too deep or contains itself, or has a
 * number that JSON cannot express. Returns `undefined` if Syncline can store the value.
 */
export function findFlaw(value: unknown, depth = 1): string | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : 'has a number that is too large';
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_ROW_DEPTH) return `has more than ${MAX_ROW_DEPTH} nested levels`;
  for (const member of Object.values(value)) {
    const flaw = findFlaw(member, depth + 1);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}
