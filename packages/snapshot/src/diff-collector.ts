import { DIFF_SAMPLE_LIMIT, type Diff } from '@syncline/contract';
import { displayKey } from '@syncline/rows';
import { changedFields } from './changed-fields.ts';
import type { StoredRow } from './encoding/chunk.ts';

type Change = 'added' | 'updated' | 'removed';

export interface DiffCollectorOptions {
  /** How many rows of each kind are named. */
  readonly sampleLimit?: number;
  /** Whether to find out which fields of the updated ones that are named differ. */
  readonly comparesFields?: boolean;
}

type Comparable = Pick<StoredRow, 'json' | 'isLatest'>;

/** Counts changes, and keeps the first of each kind. */
export class DiffCollector {
  readonly #counts = { added: 0, updated: 0, removed: 0 };
  readonly #samples: Record<Change, string[]> = { added: [], updated: [], removed: [] };
  readonly #changedFields: string[][] = [];
  readonly #sampleLimit: number;
  readonly #comparesFields: boolean;

  constructor(options: DiffCollectorOptions = {}) {
    this.#sampleLimit = options.sampleLimit ?? DIFF_SAMPLE_LIMIT;
    this.#comparesFields = options.comparesFields ?? false;
  }

  /** For each updated row that is named, what has changed in it, where that is asked for. */
  get changedFields(): readonly (readonly string[])[] {
    return this.#changedFields;
  }

  /** @param key a sort key */
  count(change: Change, key: string): void {
    this.#counts[change] += 1;
    const samples = this.#samples[change];
    if (samples.length < this.#sampleLimit) samples.push(displayKey(key));
  }

  countUpdate(key: string, { before, after }: { before: Comparable; after: Comparable }): void {
    if (this.#comparesFields && this.#samples.updated.length < this.#sampleLimit) {
      this.#changedFields.push(changedFields(before, after));
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
