import type { RecordedRequest } from './recorded-request.ts';

/** A way in which the upstream deviates from a good answer. */
export type Behaviour =
  /** A good answer that comes later. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Another status, such as 429 with `retry-after`. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** A complete HTTP answer whose JSON is cut off. */
  | { readonly kind: 'truncated-json' }
  /** A connection that breaks in the middle of the body. */
  | { readonly kind: 'broken-connection' }
  /** An HTML page with status 200, as proxies and captive portals send it. */
  | { readonly kind: 'html' }
  /** Pages that all name the same next cursor. */
  | { readonly kind: 'repeated-cursor' }
  /** The spelling of the next cursor that the official registry used until 2025-09-30. */
  | { readonly kind: 'next_cursor' }
  /** JSON that begins correctly and never ends. */
  | { readonly kind: 'endless-body' };

export interface ScriptOptions {
  /** How many matching requests it applies to. Default: 1. `Infinity` means all later requests. */
  readonly times?: number;
  /** Returns whether it applies to a request. Default: all requests. */
  readonly when?: (request: RecordedRequest) => boolean;
}

/** A behavior that is in force. */
export interface Script {
  /** The requests to which it was applied. */
  readonly applied: readonly RecordedRequest[];
  /** Ends the behavior early. */
  end(): void;
}

/** Holds requests back until the test releases them. */
export interface Gate {
  /** Resolves with the first request that is held back. */
  readonly arrived: Promise<RecordedRequest>;
  readonly waiting: number;
  /** Releases the held requests, and holds no more requests. */
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

/** The behaviors that a test has set, in that order. */
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

  /** Returns the behaviors in force for this request, and counts one use of each. */
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

  /** Ends all behaviors, and releases held requests. */
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
