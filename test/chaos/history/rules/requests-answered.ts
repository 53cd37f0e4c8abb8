import type { EventOf } from '../events.ts';
import { byRegistry, type History, mayHaveEnded, type RunEvents } from '../history.ts';
import type { Rule, Violation } from '../violation.ts';

/** I5. */
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
  // A lease that was requested before the request, and given after it, may have been given after it.
  const isAfter = ({ acquired }: RunEvents) =>
    acquired.some(({ atMs }) => atMs > request.calledAtMs);
  return answers.some(isAfter) ? 'answered' : 'none came';
}

function notAnswered(request: EventOf<'request-acknowledged'>, answerMs: number): Violation {
  const { registry, request: number } = request;
  const message = `${registry}: nothing answered request ${number} within ${answerMs} ms`;
  return { message, evidence: [request] };
}

/** Has ended, as far as is known, and was not interrupted. */
function answersRequests(run: RunEvents): boolean {
  const isAnswer = run.tried.some(
    ({ outcome }) => outcome !== undefined && outcome !== 'interrupted',
  );
  return isAnswer && mayHaveEnded(run);
}

/** A Redis that has lost its data gives the same numbers again. */
function lastLossBefore(history: History, { atMs }: EventOf<'request-acknowledged'>): number {
  const before = history.losses.map(({ untilMs }) => untilMs).filter((lossMs) => lossMs <= atMs);
  return Math.max(Number.NEGATIVE_INFINITY, ...before);
}

const SETTLED_AFTER_MS = 2_000;

/** Numbers may be given again. */
function losesDataAfter(history: History, { atMs }: EventOf<'request-acknowledged'>): boolean {
  return history.losses.some(({ untilMs }) => untilMs > atMs - SETTLED_AFTER_MS);
}

/** More than a replica lags, and than the time between two writes of the append-only file to the disk. */
const FORGOTTEN_MS = 5_000;

/**
 * Redis may have forgotten the request, and nothing else of the registry: with its last moments, or with the writes
 * of a replaced server. A registry that seldom runs then has no other run. A Redis that has forgotten everything runs
 * everything.
 */
function mayBeForgotten(history: History, { atMs }: EventOf<'request-acknowledged'>): boolean {
  return history.losses.some(
    ({ fromMs, untilMs, losesAll }) =>
      !losesAll && atMs > fromMs - FORGOTTEN_MS && atMs < untilMs + SETTLED_AFTER_MS,
  );
}

/** A run handles the requests that were open at its start, and no later ones. */
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
