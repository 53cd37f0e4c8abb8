import { DIFF_SAMPLE_LIMIT, type Diff } from '@syncline/contract';
import { displayKey, type JsonObject, OFFICIAL_META } from '@syncline/rows';
import type { MarkedRow } from './encoding/chunk.ts';

type Change = 'added' | 'updated' | 'removed';
type Comparable = Pick<MarkedRow, 'json' | 'isLatest'>;

/** Counts changes, and collects the names of the first rows of each kind. */
export class DiffCollector {
  readonly #counts = { added: 0, updated: 0, removed: 0 };
  readonly #samples: Record<Change, string[]> = { added: [], updated: [], removed: [] };
  /** With `detail`: the fields that differ in each updated row of the sample. */
  readonly changedFields: string[][] = [];
  readonly #sampleLimit: number;
  readonly #comparesFields: boolean;

  /** @param detail the sample limit for each kind of change. With it, the collector also compares fields */
  constructor(detail?: { readonly sampleLimit: number }) {
    this.#sampleLimit = detail?.sampleLimit ?? DIFF_SAMPLE_LIMIT;
    this.#comparesFields = detail !== undefined;
  }

  /** @param key a sort key */
  count(change: Change, key: string): void {
    this.#counts[change] += 1;
    const samples = this.#samples[change];
    if (samples.length < this.#sampleLimit) samples.push(displayKey(key));
  }

  countUpdate(key: string, { before, after }: { before: Comparable; after: Comparable }): void {
    if (this.#comparesFields && this.#samples.updated.length < this.#sampleLimit) {
      this.changedFields.push(changedFields(before, after));
    }
    this.count('updated', key);
  }

  isEmpty(): boolean {
    return this.#counts.added + this.#counts.updated + this.#counts.removed === 0;
  }

  result(): Diff {
    return { ...this.#counts, samples: this.#samples };
  }
}

const OFFICIAL = `_meta["${OFFICIAL_META}"]`;

/**
 * Returns the names of the fields that differ: `server.description`, `_meta["<block>"]`, or a member of the registry's
 * own block. Syncline computes `isLatest`, so it can differ even if the upstream's value does not.
 */
export function changedFields(before: Comparable, after: Comparable): string[] {
  const fieldsBefore = fieldsOf(before.json);
  const fieldsAfter = fieldsOf(after.json);
  const changed = new Set(fieldsBefore.keys()).union(new Set(fieldsAfter.keys()));
  for (const name of changed) {
    if (fieldsBefore.get(name) === fieldsAfter.get(name)) changed.delete(name);
  }
  if (before.isLatest !== after.isLatest) changed.add(`${OFFICIAL}.isLatest`);
  return [...changed];
}

/** Returns the JSON of each field by the field's name. */
function fieldsOf(json: string): Map<string, string> {
  const fields = new Map<string, string>();
  const add = (parent: string, members: unknown) => {
    for (const [name, value] of Object.entries(objectOf(members))) {
      fields.set(`${parent}${name}`, JSON.stringify(value));
    }
  };
  const { server, _meta, ...others } = objectOf(JSON.parse(json));
  add('server.', server);
  for (const [block, value] of Object.entries(objectOf(_meta))) {
    if (block === OFFICIAL_META) add(`${OFFICIAL}.`, value);
    else fields.set(`_meta["${block}"]`, JSON.stringify(value));
  }
  add('', others);
  return fields;
}

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
