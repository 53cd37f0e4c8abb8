import {
  type Filter,
  QUARANTINE_SAMPLE_LIMIT,
  type QuarantinedRow,
  SynclineError,
} from '@syncline/contract';
import { compileFilter, type FilterPredicate } from '../filter.ts';
import { type BodyFormat, type ParsedBody, parseBody } from './parse-body.ts';
import { type IngestedRow, readRow } from './read-row.ts';

/** What one body of a source turned out to hold. */
export interface BodySummary {
  readonly format: BodyFormat;
  readonly rowCount: number;
  readonly nextCursor: string | undefined;
}

/** What was read besides rows that are fine. */
export interface CollectedTotals {
  /** Rows that were read, before filter and quarantine. */
  readonly readCount: number;
  readonly skillCount: number;
  readonly pluginCount: number;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
}

export interface RowCollectorOptions {
  readonly filter: Filter;
  readonly maxRows: number;
  /** How many rows that are left out are named, with their reasons. */
  readonly sampleLimit?: number;
  /**
   * `arrival`: rows are handed on while they come, as long as they come in order, and few are kept.
   * `buffered`: all are kept, and handed on at the end.
   */
  readonly order: 'arrival' | 'buffered';
  /** Takes rows sorted by key, each key once, all versions of a name together. */
  readonly onRows: (rows: readonly IngestedRow[]) => void;
}

/** Rows that are handed on came, after all, before one that came later. */
export class OutOfOrder extends Error {
  override readonly name = 'OutOfOrder';
}

/** So many rows are kept back at least, to find out about the order before anything is handed on. */
const HELD_ROWS = 500;

/** Takes the bodies of a source one by one: parses, validates each row alone, filters, sorts. */
export class RowCollector {
  readonly #passes: FilterPredicate;
  readonly #options: RowCollectorOptions;
  #held = new Map<string, IngestedRow>();
  #isSorted: boolean;
  #hasHandedOn = false;
  #lastKey = '';
  readonly #samples: QuarantinedRow[] = [];
  #readCount = 0;
  #skillCount = 0;
  #pluginCount = 0;
  #quarantinedCount = 0;

  constructor(options: RowCollectorOptions) {
    this.#options = options;
    this.#isSorted = options.order === 'arrival';
    this.#passes = compileFilter(options.filter);
  }

  /** Takes a body apart; its rows are still to be taken. @throws SynclineError where it is no registry */
  parse(body: Uint8Array): { summary: BodySummary; take: () => void } {
    const parsed = parseBody(body);
    const { format, rows, nextCursor } = parsed;
    return {
      summary: { format, rowCount: rows.length, nextCursor },
      take: () => this.#takeAll(parsed),
    };
  }

  /** Hands on what is still kept. */
  finish(): CollectedTotals {
    const rows = [...this.#held.values()];
    this.#held = new Map();
    if (!this.#isSorted) rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    this.#options.onRows(rows);
    return {
      readCount: this.#readCount,
      skillCount: this.#skillCount,
      pluginCount: this.#pluginCount,
      quarantined: { count: this.#quarantinedCount, samples: this.#samples },
    };
  }

  /** @throws SynclineError for too many rows; {@link OutOfOrder} */
  #takeAll({ rows, skillCount, pluginCount }: ParsedBody): void {
    this.#skillCount += skillCount;
    this.#pluginCount += pluginCount;
    for (const candidate of rows) this.#take(candidate);
    if (this.#isSorted && this.#held.size >= HELD_ROWS) this.#handOn();
  }

  #take(candidate: unknown): void {
    this.#readCount += 1;
    if (this.#readCount > this.#options.maxRows) {
      throw new SynclineError('source-too-large', 'the source has too many rows', {
        expected: `at most ${this.#options.maxRows}`,
      });
    }
    const reading = readRow(candidate, this.#readCount);
    if (!reading.ok) {
      this.#quarantine({ row: reading.label, reason: reading.reason });
      return;
    }
    const { row, value } = reading;
    const known = this.#held.get(row.key);
    // A page that overlaps the one before repeats rows; only a contradiction is worth a word.
    if (known?.json === row.json) return;
    if (known !== undefined) {
      const reason = 'the source has another row of this name and version, which was kept';
      this.#quarantine({ row: `${row.name}@${row.version}`, reason });
      return;
    }
    this.#noteOrder(row);
    if (this.#passes(value.server)) this.#held.set(row.key, row);
  }

  #noteOrder({ key }: IngestedRow): void {
    if (!this.#isSorted) return;
    if (key > this.#lastKey) {
      this.#lastKey = key;
      return;
    }
    if (this.#hasHandedOn) throw new OutOfOrder();
    this.#isSorted = false;
  }

  /** All but the last name, of which more versions may come. */
  #handOn(): void {
    const rows = [...this.#held.values()];
    const lastName = rows.at(-1)?.name;
    const end = rows.findIndex(({ name }) => name === lastName);
    this.#options.onRows(rows.slice(0, end));
    this.#held = new Map(rows.slice(end).map((row) => [row.key, row]));
    this.#hasHandedOn = true;
  }

  #quarantine(row: QuarantinedRow): void {
    this.#quarantinedCount += 1;
    const { sampleLimit = QUARANTINE_SAMPLE_LIMIT } = this.#options;
    if (this.#samples.length < sampleLimit) this.#samples.push(row);
  }
}
