import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type EventKind, type EventOf, eventSchema, type HistoryEvent } from './events.ts';

/** All recorded events of one run. */
export interface RunEvents {
  readonly registry: string;
  readonly term: string;
  readonly acquired: EventOf<'lease-acquired'>[];
  readonly renewed: EventOf<'lease-renewed'>[];
  readonly refused: EventOf<'lease-refused'>[];
  readonly tried: EventOf<'ending-tried'>[];
  readonly answered: EventOf<'ending-answered'>[];
  readonly called: EventOf<'upstream-called'>[];
}

/**
 * A span of time in which a fault affects Redis. After a loss of data, it lasts until only one server accepts writes
 * again.
 */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** All events, in the order of the machine's monotonic clock. Events of one process keep their own order. */
export class History {
  readonly events: readonly HistoryEvent[];
  readonly #byKind = new Map<EventKind, HistoryEvent[]>();
  readonly #runs = new Map<string, RunEvents>();

  constructor(events: readonly HistoryEvent[]) {
    this.events = events.toSorted((one, other) => one.atMs - other.atMs);
    for (const event of this.events) {
      const ofKind = this.#byKind.get(event.kind);
      if (ofKind === undefined) this.#byKind.set(event.kind, [event]);
      else ofKind.push(event);
      this.#addToRun(event);
    }
  }

  get runs(): readonly RunEvents[] {
    return [...this.#runs.values()];
  }

  run({ registry, term }: { registry: string; term: string }): RunEvents {
    const key = `${registry}:${term}`;
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const run: RunEvents = {
      registry,
      term,
      acquired: [],
      renewed: [],
      refused: [],
      tried: [],
      answered: [],
      called: [],
    };
    this.#runs.set(key, run);
    return run;
  }

  #addToRun(event: HistoryEvent): void {
    switch (event.kind) {
      case 'lease-acquired':
        return void this.run(event).acquired.push(event);
      case 'lease-renewed':
        return void this.run(event).renewed.push(event);
      case 'lease-refused':
        return void this.run(event).refused.push(event);
      case 'ending-tried':
        return void this.run(event).tried.push(event);
      case 'ending-answered':
        return void this.run(event).answered.push(event);
      case 'upstream-called':
        return void this.run(event).called.push(event);
    }
  }

  of<Kind extends EventKind>(kind: Kind): readonly EventOf<Kind>[] {
    // Each event was added under its own kind.
    return (this.#byKind.get(kind) ?? []) as EventOf<Kind>[];
  }

  /** Returns the times in which Redis may have forgotten writes that it acknowledged then or shortly before. */
  get losses(): readonly (Span & { readonly losesAll: boolean })[] {
    const faults = this.of('fault').filter(({ losesData }) => losesData === true);
    return faults.map(({ atMs, fault }) => {
      const settled = this.of('redis-settled').find((it) => it.atMs > atMs);
      const losesAll = fault === 'empty-redis';
      return { fromMs: atMs, untilMs: settled?.atMs ?? atMs, losesAll };
    });
  }

  /** Returns the times in which Redis is unreliable: from each fault of Redis until it is available again. */
  get outages(): readonly Span[] {
    const faults = this.of('fault').filter(({ target }) => target === 'redis');
    const ends = [...this.of('redis-back'), ...this.of('redis-settled')];
    return faults.map(({ atMs }) => {
      const after = ends.filter((it) => it.atMs > atMs).map((it) => it.atMs);
      return { fromMs: atMs, untilMs: Math.min(this.endMs, ...after) };
    });
  }

  get endMs(): number {
    return this.of('history-ended')[0]?.atMs ?? this.events.at(-1)?.atMs ?? 0;
  }
}

/**
 * Reads all `*.ndjson` files of a directory. The name of each file is the name of its process. A killed process may
 * leave an incomplete last line, which is ignored.
 *
 * @throws for any other line that is not an event, with its place
 */
export async function readHistory(directory: string): Promise<History> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.ndjson'));
  const events: HistoryEvent[] = [];
  for (const file of files) {
    const text = await readFile(path.join(directory, file), 'utf8');
    const lines = text.split('\n');
    lines.pop();
    const name = path.basename(file, '.ndjson');
    for (const [index, line] of lines.entries()) {
      events.push({ ...parseLine(line, `${file}:${index + 1}`), process: name });
    }
  }
  return new History(events);
}

function parseLine(line: string, place: string) {
  try {
    return eventSchema.parse(JSON.parse(line));
  } catch (error) {
    throw new Error(`${place} is no event: ${line}`, { cause: error });
  }
}

/** Returns whether the end of a run may have been written: Redis accepted it, or one try was never answered. */
export function mayHaveEnded({ tried, answered }: RunEvents): boolean {
  return tried.some(({ calledAtMs }) => {
    const answer = answered.find((it) => it.calledAtMs === calledAtMs);
    return answer === undefined || answer.answer === 'finished';
  });
}

/** Groups events by registry. The events of a registry keep their order. */
export function byRegistry<Event extends { readonly registry: string }>(
  events: readonly Event[],
): Map<string, Event[]> {
  return Map.groupBy(events, ({ registry }) => registry);
}
