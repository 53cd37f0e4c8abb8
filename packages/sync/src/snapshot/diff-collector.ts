import { DIFF_SAMPLE_LIMIT, type Diff } from '@syncline/contract';
import { displayKey } from './row-key.ts';

type Change = 'added' | 'updated' | 'removed';

/** Counts changes, and keeps the first of each kind. */
export class DiffCollector {
  readonly #counts = { added: 0, updated: 0, removed: 0 };
  readonly #samples: Record<Change, string[]> = { added: [], updated: [], removed: [] };

  /** @param key a sort key */
  count(change: Change, key: string): void {
    this.#counts[change] += 1;
    if (this.#samples[change].length < DIFF_SAMPLE_LIMIT)
      this.#samples[change].push(displayKey(key));
  }

  isEmpty(): boolean {
    return this.#counts.added + this.#counts.updated + this.#counts.removed === 0;
  }

  result(): Diff {
    return { ...this.#counts, samples: this.#samples };
  }
}
