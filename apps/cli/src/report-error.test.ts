import { SynclineError } from '@syncline/contract';
import { ConfigError } from '@syncline/runtime/config';
import { expect, test } from 'vitest';
import { Interrupted } from './errors.ts';
import { describeError, exitStatusOf, withAdvice } from './report-error.ts';

test.each([
  ['config-invalid', 2],
  ['config-unreadable', 2],
  ['unknown-registry', 1],
  ['store-unavailable', 1],
] as const)('%s ends with status %d', (code, status) => {
  expect(exitStatusOf(new SynclineError(code, 'no'))).toBe(status);
});

test('an error is one line without a password', () => {
  const error = new Error('cannot reach\n  redis://user:hunter2@redis.example\n');
  expect(describeError(error)).toBe('cannot reach redis://redis.example');
  expect(describeError('told as text')).toBe('told as text');
});

test('an error without a message is described', () => {
  const errors = [new Error('connect ECONNREFUSED ::1'), new Error('again')];
  const refused = Object.assign(new AggregateError(errors, 'to be taken away'), { message: '' });
  expect(describeError(refused)).toBe('connect ECONNREFUSED ::1; again');
});

test('a port in use has advice', () => {
  const taken = { code: 'EADDRINUSE', port: 8080, address: '127.0.0.1' };
  expect(describeError(Object.assign(new Error('listen'), taken))).toMatch(
    /^port 8080 of 127\.0\.0\.1 is in use\. Set PORT /,
  );
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('a command that %s ended has the exit status %d', (signal, status) => {
  expect(exitStatusOf(new Interrupted(signal))).toBe(status);
});

test('an error that quotes an upstream cannot control the terminal', () => {
  expect(describeError(new Error('found \u001b]0;title\u0007'))).toBe('found  ]0;title ');
});

test('an error has the advice of the error table', () => {
  const error = new SynclineError('source-ref-missing', 'team: there is no branch main');
  expect(withAdvice(error)).toBe(
    'team: there is no branch main. Check whether someone renamed or removed the branch, tag or commit.',
  );
});

test('advice is not repeated', () => {
  const told = 'team is pinned to 683b. Run `syncline resume team` first';
  expect(withAdvice(new SynclineError('registry-suspended', told))).toBe(told);
  const expected = new SynclineError('unknown-registry', 'no such registry', { expected: 'team' });
  expect(withAdvice(expected)).toBe('no such registry. Use team');
  const place = {
    file: 'a.yaml',
    line: 1,
    column: 1,
    path: '',
    message: 'no map',
    found: '',
    expected: '',
  };
  const invalid = new ConfigError('config-invalid', [place]);
  expect(withAdvice(invalid)).toBe(invalid.message);
  expect(withAdvice(new Error('no code'))).toBe('no code');
});
