/** Requests and threads end at once with their signal, git and what it has started within some seconds. */
const GRACE_MS = 3_000;

export interface OrLeaveOptions {
  readonly signal: AbortSignal;
  /** Told where the work is left to itself. */
  readonly onLeft?: () => void;
  /** How long the work has after an abort to end by itself. Default: 3,000. */
  readonly graceMs?: number;
}

/**
 * What a promise gives; or the signal's reason, where the work behind it has not ended some seconds after
 * an abort. It is left to itself then, and what comes of it is dropped.
 */
export function orLeave<Result>(
  work: Promise<Result>,
  { signal, onLeft, graceMs = GRACE_MS }: OrLeaveOptions,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(() => {
      onLeft?.();
      reject(signal.reason);
    }, graceMs);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  };
  work.finally(end).then(resolve, reject);
  return promise;
}
