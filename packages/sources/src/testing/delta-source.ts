import { displayKey, type RowKey, sortKey } from '@syncline/rows';
import type { Source, SourceContext } from '../source.ts';

/** A row as an upstream sends it. */
export interface TestRow extends RowKey {
  readonly description?: string | undefined;
}

/** An in-memory registry that reports the changes since each of its earlier states. */
export class DeltaUpstream {
  readonly #states: (readonly TestRow[])[] = [[]];

  publish(rows: readonly TestRow[]): void {
    this.#states.push(rows);
  }

  /** Opens the source as a new run does. */
  open(): Source {
    return {
      givesDeltas: true,
      probe: async (known, context) => {
        ask(context);
        return { state: known === this.#revision ? 'unchanged' : 'changed' };
      },
      fetch: async (take, context, { since } = {}) => {
        ask(context);
        const revision = this.#revision;
        const rows = byKey(this.#states.at(-1));
        const base = since === undefined ? undefined : this.#states[Number(since)];
        const known = byKey(base);
        const changed = [...rows]
          .filter(([key, row]) => known.get(key) !== row)
          .map(([, row]) => row);
        await take(listOf(changed.map((row) => JSON.parse(row))));
        if (since === undefined || base === undefined) return { kind: 'whole', revision };
        const removals = base.filter((row) => !rows.has(keyOf(row)));
        return { kind: 'delta', since, removals, revision, complete: true };
      },
    };
  }

  get #revision(): string {
    return String(this.#states.length - 1);
  }
}

/** Returns the body of a list of rows, in the format of the API and of registry files. */
export function listOf(rows: readonly TestRow[]): Buffer<ArrayBuffer> {
  const servers = rows.map((server) => ({ server }));
  return Buffer.from(JSON.stringify({ servers, metadata: { count: rows.length } }));
}

/** Returns `name@version`. */
export function keyOf(row: RowKey): string {
  return displayKey(sortKey(row));
}

function byKey(rows: readonly TestRow[] = []): Map<string, string> {
  return new Map(rows.map((row) => [keyOf(row), JSON.stringify(row)]));
}

function ask({ signal, upstream }: SourceContext): void {
  signal.throwIfAborted();
  upstream.requests += 1;
}
