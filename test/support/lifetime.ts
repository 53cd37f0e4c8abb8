import { afterAll, onTestFinished } from 'vitest';

/** Collects the clean-up of what a test starts. Clean-ups run in reverse order. */
export interface Lifetime {
  defer(end: () => Promise<void> | void): void;
}

/** How long one clean-up may take. It guards against hanging only. */
const END_TIMEOUT_MS = 300_000;

/** Ends with the test that is running. Outside a test, registering throws. */
export const testLifetime: Lifetime = {
  defer: (end) => onTestFinished(async () => end(), END_TIMEOUT_MS),
};

/** Ends after the last test of the file or `describe` that calls this. */
export function suiteLifetime(): Lifetime {
  const ends = new AsyncDisposableStack();
  afterAll(() => ends.disposeAsync(), END_TIMEOUT_MS);
  return { defer: (end) => ends.defer(end) };
}
