import { displayKey, type RowKey, sortKey } from '@syncline/rows';
import type { Source, SourceContext } from '../source.ts';

/** A row as upstreams send it. */
export interface TestRow extends RowKey {
  readonly description?: string | undefined;
}

/** A registry in memory that tells what has changed since each of its states. */
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

/** The body that lists rows, as an API and a file have it. */
export function listOf(rows: readonly TestRow[]): Buffer<ArrayBuffer> {
  const servers = rows.map((server) => ({ server }));
  return Buffer.from(JSON.stringify({ servers, metadata: { count: rows.length } }));
}

/** `name@version`. */
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
