import type { RecordedRequest } from './recorded-request.ts';

/** A deviation of an upstream from a good answer. */
export type Behaviour =
  /** Answers well, but later. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Another status, such as 429 with `retry-after`. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** A whole HTTP answer whose JSON is cut off. */
  | { readonly kind: 'truncated-json' }
  /** The connection breaks in the middle of the body. */
  | { readonly kind: 'broken-connection' }
  /** An HTML page with status 200, as proxies and captive portals send. */
  | { readonly kind: 'html' }
  /** Each page names the same next cursor. */
  | { readonly kind: 'repeated-cursor' }
  /** The next cursor is spelt as the official registry spelt it until 2025-09-30. */
  | { readonly kind: 'next_cursor' }
  /** JSON that begins well and never ends. */
  | { readonly kind: 'endless-body' };

export interface ScriptOptions {
  /** How many matching requests it is for; 1 by default, `Infinity` for all further ones. */
  readonly times?: number;
  /** Which requests it is for; all by default. */
  readonly when?: (request: RecordedRequest) => boolean;
}

/** A behaviour that is in force. */
export interface Script {
  /** The requests that it was applied to. */
  readonly applied: readonly RecordedRequest[];
  /** Ends it before its time. */
  end(): void;
}

/** Requests that wait until the test releases them. */
export interface Gate {
  /** Resolves with the first request that waits here. */
  readonly arrived: Promise<RecordedRequest>;
  readonly waiting: number;
  /** Releases waiting requests, and holds no others. */
  release(): void;
}

type Step =
  | { readonly kind: 'behave'; readonly behaviour: Behaviour }
  | { readonly kind: 'hold'; readonly wait: (request: RecordedRequest) => Promise<void> };

interface Entry {
  readonly step: Step;
  readonly when: (request: RecordedRequest) => boolean;
  remaining: number;
  readonly applied: RecordedRequest[];
}

/** The behaviours that a test has requested, in that order. */
export class Screenplay {
  readonly #entries = new Set<Entry>();
  readonly #gates = new Set<Gate>();

  behave(behaviour: Behaviour, options: ScriptOptions): Script {
    const entry = this.#add({ kind: 'behave', behaviour }, options);
    return { applied: entry.applied, end: () => void this.#entries.delete(entry) };
  }

  hold(options: ScriptOptions): Gate {
    const arrived = Promise.withResolvers<RecordedRequest>();
    const released = Promise.withResolvers<void>();
    let waiting = 0;
    const wait = async (request: RecordedRequest) => {
      waiting += 1;
      arrived.resolve(request);
      await Promise.race([released.promise, request.ended]);
      waiting -= 1;
    };
    const entry = this.#add({ kind: 'hold', wait }, options);
    const gate: Gate = {
      arrived: arrived.promise,
      get waiting() {
        return waiting;
      },
      release: () => {
        this.#entries.delete(entry);
        released.resolve();
      },
    };
    this.#gates.add(gate);
    return gate;
  }

  /** Returns the behaviours in force for this request; each counts it as one of its times. */
  take(request: RecordedRequest): Step[] {
    const steps: Step[] = [];
    for (const entry of this.#entries) {
      if (!entry.when(request)) continue;
      entry.remaining -= 1;
      if (entry.remaining <= 0) this.#entries.delete(entry);
      entry.applied.push(request);
      steps.push(entry.step);
    }
    return steps;
  }

  /** Ends everything, and releases waiting requests. */
  clear(): void {
    this.#entries.clear();
    for (const gate of this.#gates) gate.release();
  }

  #add(step: Step, { times = 1, when = () => true }: ScriptOptions): Entry {
    const entry: Entry = { step, when, remaining: times, applied: [] };
    this.#entries.add(entry);
    return entry;
  }
}
