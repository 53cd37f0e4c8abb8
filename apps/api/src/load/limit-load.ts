import type { Logger } from '@syncline/contract';
import { SynclineError } from '@syncline/contract';
import type { Arrivals } from '@syncline/runtime';
import type { Request, RequestHandler } from 'express';
import { FairGate, type GateLimits } from './fair-gate.ts';
import { UnsentAnswers, type UnsentLimits } from './unsent-answers.ts';

/**
 * What a request costs:
 * - `page`: few rows, mostly from the cache
 * - `scan`: a search through many rows
 * - `state`: the state of registries and runs, and metrics
 * - `board`: the pages of Bull Board
 * - `control`: actions of an operator, which may wait for a run for minutes
 */
export type LoadClass = 'page' | 'scan' | 'state' | 'board' | 'control';

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
  control: { slots: 256, slotsPerClient: 128, waiting: 64, longestWaitMs: LONGEST_WAIT_MS },
};

const DEFAULT_UNSENT_LIMITS: UnsentLimits = {
  maxBytes: 32 * 1024 * 1024,
  graceMs: 10_000,
  leastBytesPerSecond: 64 * 1024,
};

export interface LoadUsage {
  readonly classes: Readonly<Record<LoadClass, ReturnType<FairGate['usage']>>>;
  readonly unsent: ReturnType<UnsentAnswers['usage']>;
}

export interface LoadLimiter {
  /** Returns middleware that lets a request wait for a slot of its class, or refuses it with `overloaded`. */
  limit(classOf: (request: Request) => LoadClass): RequestHandler;
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
  };
  const unsent = new UnsentAnswers(unsentLimits);
  let loggedAtMs = Number.NEGATIVE_INFINITY;

  return {
    limit: (classOf) => async (request, response, next) => {
      const loadClass = classOf(request);
      const client = clientOf(request);
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const leave = await gates[loadClass].enter(client, gone.signal);
      if (leave === 'gone') return;
      if (leave === 'overloaded') return next(overloaded(loadClass, client));
      if (gone.signal.aborted) return leave();
      // Node emits `prefinish` when the answer is complete, and `close` when it is sent or its reader is gone.
      response.once('close', leave);
      response.once('prefinish', () => {
        leave();
        unsent.watch(client, response);
      });
      next();
    },
    usage: () => ({
      classes: {
        page: gates.page.usage(),
        scan: gates.scan.usage(),
        state: gates.state.usage(),
        board: gates.board.usage(),
        control: gates.control.usage(),
      },
      unsent: unsent.usage(),
    }),
  };

  function overloaded(loadClass: LoadClass, client: string): SynclineError {
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
