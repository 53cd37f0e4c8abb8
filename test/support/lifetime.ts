import { afterAll, onTestFinished } from 'vitest';

/** Collects functions that clean up what a test has started. They run in reverse order. */
export interface Lifetime {
  defer(end: () => Promise<void> | void): void;
}

/** How long one clean-up may take. The limit only ends a clean-up that hangs. */
const END_TIMEOUT_MS = 300_000;

/** A lifetime that ends with the current test. Outside a test, `defer` throws. */
export const testLifetime: Lifetime = {
  defer: (end) => onTestFinished(async () => end(), END_TIMEOUT_MS),
};

/** Returns a lifetime that ends after the last test of the calling file or `describe`. */
export function suiteLifetime(): Lifetime {
  const ends = new AsyncDisposableStack();
  afterAll(() => ends.disposeAsync(), END_TIMEOUT_MS);
  return { defer: (end) => ends.defer(end) };
}
