import {
  type Filter,
  QUARANTINE_SAMPLE_LIMIT,
  type QuarantinedRow,
  SynclineError,
} from '@syncline/contract';
import { compileFilter, type FilterPredicate } from '../filter.ts';
import { type BodyFormat, parseBody } from './parse-body.ts';
import { type IngestedRow, readRow } from './read-row.ts';

/** What one body of a source turned out to hold. */
export interface BodySummary {
  readonly format: BodyFormat;
  readonly rowCount: number;
  readonly nextCursor: string | undefined;
}

/** Everything that was collected, ready to be built into a snapshot. */
export interface CollectedRows {
  /** Sorted by key, each key once. */
  readonly rows: readonly IngestedRow[];
  /** Rows that were read, before filter and quarantine. */
  readonly readCount: number;
  readonly skillCount: number;
  readonly pluginCount: number;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
}

/** Takes the bodies of a source one by one: parses, validates each row alone, filters. */
export class RowCollector {
  readonly #passes: FilterPredicate;
  readonly #maxRows: number;
  readonly #rows = new Map<string, IngestedRow>();
  readonly #samples: QuarantinedRow[] = [];
  #readCount = 0;
  #skillCount = 0;
  #pluginCount = 0;
  #quarantinedCount = 0;

  constructor({ filter, maxRows }: { filter: Filter; maxRows: number }) {
    this.#passes = compileFilter(filter);
    this.#maxRows = maxRows;
  }

  /** @throws SynclineError where the body is no registry, or the registry has too many rows */
  add(body: Uint8Array): BodySummary {
    const { format, rows, nextCursor, skillCount, pluginCount } = parseBody(body);
    this.#skillCount += skillCount;
    this.#pluginCount += pluginCount;
    for (const candidate of rows) this.#take(candidate);
    return { format, rowCount: rows.length, nextCursor };
  }

  collected(): CollectedRows {
    const rows = [...this.#rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return {
      rows,
      readCount: this.#readCount,
      skillCount: this.#skillCount,
      pluginCount: this.#pluginCount,
      quarantined: { count: this.#quarantinedCount, samples: this.#samples },
    };
  }

  #take(candidate: unknown): void {
    this.#readCount += 1;
    if (this.#readCount > this.#maxRows) {
      throw new SynclineError('source-too-large', 'the source has too many rows', {
        expected: `at most ${this.#maxRows}`,
      });
    }
    const reading = readRow(candidate, this.#readCount);
    if (!reading.ok) {
      this.#quarantine({ row: reading.label, reason: reading.reason });
      return;
    }
    const { row, value } = reading;
    const known = this.#rows.get(row.key);
    // A page that overlaps the one before repeats rows; only a contradiction is worth a word.
    if (known?.json === row.json) return;
    if (known !== undefined) {
      const reason = 'the source has another row of this name and version, which was kept';
      this.#quarantine({ row: `${row.name}@${row.version}`, reason });
      return;
    }
    if (this.#passes(value.server)) this.#rows.set(row.key, row);
  }

  #quarantine(row: QuarantinedRow): void {
    this.#quarantinedCount += 1;
    if (this.#samples.length < QUARANTINE_SAMPLE_LIMIT) this.#samples.push(row);
  }
}
