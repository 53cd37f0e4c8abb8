import type { Logger } from '@syncline/contract';
import { SynclineError } from '@syncline/contract';
import type { Arrivals } from '@syncline/runtime';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { FairGate, type GateLimits, type Leave } from './fair-gate.ts';
import { UnsentAnswers, type UnsentLimits } from './unsent-answers.ts';

/**
 * What a request costs:
 * - `page`: few rows, mostly from the cache
 * - `scan`: a search through many rows
 * - `state`: the state of registries and runs, and metrics
 * - `board`: the pages of Bull Board
 * - `control`: actions of an operator
 * - `wait`: requests that wait for a run or a preview for minutes, and compute nothing meanwhile
 */
export type LoadClass = 'page' | 'scan' | 'state' | 'board' | 'control' | 'wait';

const LONGEST_WAIT_MS = 10_000;

/**
 * One process computes on one core. So a few slots are enough to compute while other requests wait for Redis, and more
 * slots make no answer earlier. Each slot can hold a chunk and a page.
 */
const DEFAULT_LIMITS: Readonly<Record<LoadClass, GateLimits>> = {
  page: { slots: 6, slotsPerClient: 3, waiting: 256, longestWaitMs: LONGEST_WAIT_MS },
  scan: { slots: 4, slotsPerClient: 1, waiting: 64, longestWaitMs: LONGEST_WAIT_MS },
  state: { slots: 4, slotsPerClient: 2, waiting: 64, longestWaitMs: LONGEST_WAIT_MS },
  board: { slots: 8, slotsPerClient: 4, waiting: 64, longestWaitMs: LONGEST_WAIT_MS },
  control: { slots: 4, slotsPerClient: 2, waiting: 64, longestWaitMs: LONGEST_WAIT_MS },
  wait: { slots: 256, slotsPerClient: 128, waiting: 0, longestWaitMs: LONGEST_WAIT_MS },
};

const DEFAULT_UNSENT_LIMITS: UnsentLimits = {
  maxBytes: 32 * 1024 * 1024,
  graceMs: 10_000,
  leastBytesPerSecond: 64 * 1024,
};

/** How long requests may begin in one turn of the event loop before they queue, in milliseconds. */
const BEGIN_SLICE_MS = 2;
/** Requests that queue begin in the next turns, so many in each. */
const BEGIN_LIMITS: GateLimits = {
  slots: 8,
  slotsPerClient: 8,
  waiting: 1_024,
  longestWaitMs: LONGEST_WAIT_MS,
};

export interface LoadUsage {
  readonly classes: Readonly<Record<LoadClass | 'begin', ReturnType<FairGate['usage']>>>;
  readonly unsent: ReturnType<UnsentAnswers['usage']>;
}

export interface LoadLimiter {
  /**
   * Lets requests begin fairly. Requests that are refused or answered at once need no slot, but a flood of them would
   * make all others wait behind it.
   */
  readonly begin: RequestHandler;
  /** Returns middleware that lets a request wait for a slot of its class, or refuses it with `overloaded`. */
  limit(classOf: (request: Request) => LoadClass): RequestHandler;
  /** Gives the slot of a request back. */
  leave(response: Response): void;
  /**
   * Gives the slot of a request back while `work` waits for other processes.
   *
   * @throws SynclineError `overloaded` if too many requests wait
   */
  whileWaiting<Result>(
    request: Request,
    response: Response,
    work: () => Promise<Result>,
  ): Promise<Result>;
  usage(): LoadUsage;
}

export interface LoadLimiterOptions extends Pick<Arrivals, 'clientOf'> {
  readonly logger: Pick<Logger, 'warn'>;
  /** Replaces the built-in limits of a class. */
  readonly limits?: Partial<Record<LoadClass, GateLimits>>;
  readonly unsentLimits?: UnsentLimits;
}

/** A flood of requests must not become a flood of log lines. */
const LOG_EVERY_MS = 60_000;

/**
 * Creates the limits of one api process. A slot is taken while an answer is computed, and not while its reader takes
 * it: {@link UnsentAnswers} bounds that part.
 */
export function createLoadLimiter({
  clientOf,
  logger,
  limits,
  unsentLimits = DEFAULT_UNSENT_LIMITS,
}: LoadLimiterOptions): LoadLimiter {
  const all = { ...DEFAULT_LIMITS, ...limits };
  const gates = {
    page: new FairGate(all.page),
    scan: new FairGate(all.scan),
    state: new FairGate(all.state),
    board: new FairGate(all.board),
    control: new FairGate(all.control),
    wait: new FairGate(all.wait),
  };
  const unsent = new UnsentAnswers(unsentLimits);
  const begin = new FairGate(BEGIN_LIMITS);
  /** The end of the slice of this turn of the event loop; `undefined` if none has begun. */
  let sliceUntilMs: number | undefined;
  const slots = new WeakMap<Response, Leave>();
  let loggedAtMs = Number.NEGATIVE_INFINITY;

  return {
    begin: (request, response, next) => {
      const nowMs = performance.now();
      if (sliceUntilMs === undefined) {
        sliceUntilMs = nowMs + BEGIN_SLICE_MS;
        setImmediate(() => {
          sliceUntilMs = undefined;
        });
      }
      if (nowMs < sliceUntilMs && begin.usage().waiting === 0) return next();
      return beginLater(request, response, next);
    },
    limit: (classOf) => async (request, response, next) => {
      const loadClass = classOf(request);
      const client = clientOf(request);
      const gone = goneSignal(response);
      const leave = await gates[loadClass].enter(client, gone);
      if (leave === 'gone') return;
      if (leave === 'overloaded') return next(overloaded(loadClass, client));
      if (gone.aborted) return leave();
      slots.set(response, leave);
      // Node emits `prefinish` when the answer is complete, and `close` when it is sent or its reader is gone.
      response.once('close', leave);
      response.once('prefinish', () => {
        leave();
        unsent.watch(client, response);
      });
      next();
    },
    leave: (response) => slots.get(response)?.(),
    whileWaiting: async (request, response, work) => {
      const client = clientOf(request);
      slots.get(response)?.();
      const leave = await gates.wait.enter(client, new AbortController().signal);
      if (typeof leave === 'string') throw overloaded('wait', client);
      try {
        return await work();
      } finally {
        leave();
      }
    },
    usage: () => ({
      classes: {
        begin: begin.usage(),
        page: gates.page.usage(),
        scan: gates.scan.usage(),
        state: gates.state.usage(),
        board: gates.board.usage(),
        control: gates.control.usage(),
        wait: gates.wait.usage(),
      },
      unsent: unsent.usage(),
    }),
  };

  async function beginLater(request: Request, response: Response, next: NextFunction) {
    const client = clientOf(request);
    const leave = await begin.enter(client, goneSignal(response));
    if (leave === 'gone') return;
    if (leave === 'overloaded') return next(overloaded('begin', client));
    setImmediate(leave);
    next();
  }

  function overloaded(loadClass: LoadClass | 'begin', client: string): SynclineError {
    const nowMs = performance.now();
    if (nowMs - loggedAtMs >= LOG_EVERY_MS) {
      loggedAtMs = nowMs;
      logger.warn({ class: loadClass, client }, 'overloaded, refusing requests');
    }
    return new SynclineError(
      'overloaded',
      'too many requests are waiting. Try again after the time in Retry-After',
    );
  }
}

/** Returns a signal that is aborted when the client disconnects. */
function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}
