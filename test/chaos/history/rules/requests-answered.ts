import type { EventOf } from '../events.ts';
import { byRegistry, type History, mayHaveEnded, type RunEvents } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** The rule for invariant I5. */
export const requestsAnswered: Rule = {
  name: 'I5',
  promise: 'a run that started after an acknowledged request follows it, and handles it',
  find: (history, { answerMs }) => {
    const answering = byRegistry(history.runs.filter(answersRequests));
    return [
      ...history.of('request-acknowledged').flatMap((request) => {
        const violation = judge(request, answering.get(request.registry) ?? [], history);
        const isOverdue = history.endMs - request.atMs > answerMs;
        if (violation === 'none came' && isOverdue && !mayBeForgotten(history, request)) {
          return [notAnswered(request, answerMs)];
        }
        return typeof violation === 'string' ? [] : [violation];
      }),
      ...findOvershoots(history),
    ];
  },
};

function judge(
  request: EventOf<'request-acknowledged'>,
  runs: readonly RunEvents[],
  history: History,
): Violation | 'answered' | 'none came' {
  const mayBeLost = losesDataAfter(history, request);
  const numbersCountFromMs = lastLossBefore(history, request);
  const answers = runs.filter(
    ({ tried, acquired }) =>
      mayBeLost ||
      (acquired.some(({ atMs }) => atMs > numbersCountFromMs) &&
        tried.some((it) => it.handledRequest >= request.request)),
  );
  for (const { acquired, tried } of mayBeLost ? [] : answers) {
    const [lease] = acquired;
    if (lease === undefined || lease.atMs >= request.calledAtMs) continue;
    const { registry, request: number } = request;
    const message = `${registry}: request ${number} was answered by a run that had begun before it`;
    return { message, evidence: [lease, request, ...tried] };
  }
  // If a worker asked for a lease before the request and got it later, the lease may have come after the request.
  const isAfter = ({ acquired }: RunEvents) =>
    acquired.some(({ atMs }) => atMs > request.calledAtMs);
  return answers.some(isAfter) ? 'answered' : 'none came';
}

function notAnswered(request: EventOf<'request-acknowledged'>, answerMs: number): Violation {
  const { registry, request: number } = request;
  const message = `${registry}: nothing answered request ${number} within ${answerMs} ms`;
  return { message, evidence: [request] };
}

/** Returns whether a run has ended, as far as the history shows, and was not interrupted. */
function answersRequests(run: RunEvents): boolean {
  const isAnswer = run.tried.some(
    ({ outcome }) => outcome !== undefined && outcome !== 'interrupted',
  );
  return isAnswer && mayHaveEnded(run);
}

/** Returns the time of the last loss of data before a request. After a loss, Redis gives the same numbers again. */
function lastLossBefore(history: History, { atMs }: EventOf<'request-acknowledged'>): number {
  const before = history.losses.map(({ untilMs }) => untilMs).filter((lossMs) => lossMs <= atMs);
  return Math.max(Number.NEGATIVE_INFINITY, ...before);
}

const SETTLED_AFTER_MS = 2_000;

/** Returns whether Redis lost data after a request. Then Redis may give the same number again. */
function losesDataAfter(history: History, { atMs }: EventOf<'request-acknowledged'>): boolean {
  return history.losses.some(({ untilMs }) => untilMs > atMs - SETTLED_AFTER_MS);
}

/** More than the lag of a replica, and more than the time between two writes of the append-only file to disk. */
const FORGOTTEN_MS = 5_000;

/**
 * Returns whether Redis may have forgotten the request and nothing else of the registry. Redis can lose its last
 * moments, or the writes of a replaced server. Then a registry that seldom runs has no other run. If Redis has
 * forgotten everything, all registries run again.
 */
function mayBeForgotten(history: History, { atMs }: EventOf<'request-acknowledged'>): boolean {
  return history.losses.some(
    ({ fromMs, untilMs, losesAll }) =>
      !losesAll && atMs > fromMs - FORGOTTEN_MS && atMs < untilMs + SETTLED_AFTER_MS,
  );
}

/**
 * Finds runs that handled a request made after their start. A run handles only the requests that were open when it
 * started.
 */
function findOvershoots(history: History): Violation[] {
  return history.of('ending-tried').flatMap((ending): Violation[] => {
    const { registry, term, handledRequest } = ending;
    const [lease] = history.run(ending).acquired;
    if (lease === undefined || handledRequest <= Math.max(lease.requested, lease.handled))
      return [];
    const message = `${registry}: ${term} answers request ${handledRequest}, of which it cannot have known`;
    return [{ message, evidence: [lease, ending] }];
  });
}
