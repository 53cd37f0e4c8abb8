/**
 * Calls `listener` once the signal is aborted: at once if it is aborted already.
 *
 * @returns what detaches the listener when it is disposed
 */
export function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}
