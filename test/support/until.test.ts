import { expect, test } from 'vitest';
import { until } from './until.ts';

test('until returns the first value that is not undefined, null or false', async () => {
  const values = [undefined, false, null, 0];
  expect(await until(() => values.shift(), { what: 'a value' })).toBe(0);
});

test('the error of until says what was awaited and what was last seen', async () => {
  const probe = async (see: (seen: unknown) => void) => {
    see({ phase: 'Syncing' });
    return false;
  };
  await expect(until(probe, { what: 'phase Complete', timeoutMs: 60 })).rejects.toThrow(
    "timed out after 60 ms waiting for phase Complete; last saw { phase: 'Syncing' }",
  );
});

test('until counts a throw as "not yet", and its error shows the last one', async () => {
  let calls = 0;
  const probe = () => {
    calls += 1;
    if (calls < 3) throw new TypeError('connection refused');
    return 'up';
  };
  expect(await until(probe, { what: 'the server' })).toBe('up');
  const down = () => {
    throw new TypeError('connection refused');
  };
  await expect(until(down, { what: 'the server', timeoutMs: 60 })).rejects.toThrow(
    'last saw a throw: TypeError: connection refused',
  );
});

test('until does not wait for a probe that hangs', async () => {
  const hangs = () => new Promise<undefined>(() => {});
  await expect(until(hangs, { what: 'an answer', timeoutMs: 60 })).rejects.toThrow(
    'last saw nothing: the probe has not returned',
  );
});
