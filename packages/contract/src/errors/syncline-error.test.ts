import { expect, test } from 'vitest';
import { isStoreFull, toSynclineError } from './syncline-error.ts';

const OOM = "OOM command not allowed when used memory > 'maxmemory'.";

test.each([
  ['of a command', new Error(OOM)],
  ['of a script', new Error(`ERR Error running script: @user_script:12: ${OOM}`)],
  [
    'of a transaction',
    Object.assign(new Error('EXECABORT Transaction discarded because of previous errors.'), {
      previousErrors: [new Error(OOM)],
    }),
  ],
])('the error %s in a full Redis is store-full', (_, error) => {
  expect(isStoreFull(error)).toBe(true);
  expect(toSynclineError(error)).toMatchObject({ code: 'store-full', cause: error });
});

test.each(['READONLY replica', 'EXECABORT Transaction discarded', 'a ROOM command'])(
  'the error %s is not store-full',
  (message) => {
    expect(isStoreFull(new Error(message))).toBe(false);
  },
);

test('other values are not store-full', () => {
  expect(isStoreFull(OOM)).toBe(false);
});
