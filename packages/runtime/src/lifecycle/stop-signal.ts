/** A Ctrl-C under npm comes twice within moments: from the terminal, and passed on by npm. */
const DEBOUNCE_MS = 1_000;

/**
 * Resolves with the first SIGTERM or SIGINT; what follows within a second belongs to it. A later Ctrl-C
 * comes from someone who is tired of waiting: `onRepeated` is called.
 */
export function nextStopSignal(options: { onRepeated: () => void }): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAtMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      resolve(signal);
    } else if (signal === 'SIGINT' && performance.now() - firstAtMs > DEBOUNCE_MS) {
      options.onRepeated();
    }
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return promise;
}
