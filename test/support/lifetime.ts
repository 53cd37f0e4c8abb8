import { afterAll, onTestFinished } from 'vitest';

/** Where the end of a thing is registered: ends run in the reverse of the order they were given in. */
export interface Lifetime {
  defer(end: () => Promise<void> | void): void;
}

/** How long one end may take. Against hanging only. */
const END_TIMEOUT_MS = 300_000;

/** Ends with the test that is running. Outside a test, registering throws. */
export const testLifetime: Lifetime = {
  defer: (end) => onTestFinished(async () => end(), END_TIMEOUT_MS),
};

/** Ends after the last test of the file, or of the `describe`, that this is called in. */
export function suiteLifetime(): Lifetime {
  const ends = new AsyncDisposableStack();
  afterAll(() => ends.disposeAsync(), END_TIMEOUT_MS);
  return { defer: (end) => ends.defer(end) };
}
