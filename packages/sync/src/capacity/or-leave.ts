import { onAbort } from '@syncline/contract';

/** Requests and threads end at once with their signal, git and its child processes within some seconds. */
const GRACE_MS = 3_000;

export interface OrLeaveOptions {
  readonly signal: AbortSignal;
  /** Called if the work is left behind. */
  readonly onLeft?: () => void;
  /** How long the work has after an abort to end by itself. Default: 3,000. */
  readonly graceMs?: number | undefined;
}

/**
 * Returns the result of the work. Rejects with the signal's reason if the work has not ended some time after an abort.
 * That work is left behind: it goes on, and its result is dropped.
 */
export async function orLeave<Result>(
  work: Promise<Result>,
  { signal, onLeft, graceMs = GRACE_MS }: OrLeaveOptions,
): Promise<Result> {
  const left = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  using _listening = onAbort(signal, () => {
    timer = setTimeout(() => {
      onLeft?.();
      left.reject(signal.reason);
    }, graceMs);
  });
  try {
    return await Promise.race([work, left.promise]);
  } finally {
    clearTimeout(timer);
  }
}
