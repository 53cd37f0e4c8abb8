import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Attempts, createAttempts } from './attempts.ts';

let attempts: Attempts;
let lines: object[];
beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  attempts = createAttempts({
    logger: { warn: (fields) => lines.push(fields) },
    clock: { monotonic: () => Date.now() },
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Tries a wrong token. Returns the seconds to wait, or 0 if the token was looked at. */
function tryWrongToken(client: string): number {
  try {
    attempts.admit(client);
  } catch (error) {
    return Math.ceil((error as { retryAfterMs: number }).retryAfterMs / 1_000);
  }
  attempts.failed(client);
  return 0;
}

test('a client may fail ten times, and then waits longer after each failure', () => {
  for (let time = 1; time <= 11; time += 1) expect(tryWrongToken('one')).toBe(0);
  expect(tryWrongToken('one')).toBe(1);
  const waits: number[] = [];
  for (let time = 1; time <= 8; time += 1) {
    vi.advanceTimersByTime((waits.at(-1) ?? 1) * 1_000);
    expect(tryWrongToken('one')).toBe(0);
    waits.push(tryWrongToken('one'));
  }
  expect(waits).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
});

test('other clients are not slowed', () => {
  for (let time = 1; time <= 200; time += 1) tryWrongToken('one');
  expect(() => attempts.admit('two')).not.toThrow();
});

test('attempts while a client waits do not make the wait longer', () => {
  for (let time = 1; time <= 200; time += 1) tryWrongToken('one');
  vi.advanceTimersByTime(1_000);
  expect(() => attempts.admit('one')).not.toThrow();
});

test('a right token shortens the wait, but does not let a client guess others without one', () => {
  for (let time = 1; time <= 30; time += 1) {
    tryWrongToken('one');
    vi.advanceTimersByTime(60_000);
  }
  for (let round = 1; round <= 3; round += 1) {
    attempts.succeeded('one');
    expect(tryWrongToken('one')).toBe(0);
    expect(tryWrongToken('one')).toBe(1);
    vi.advanceTimersByTime(1_000);
  }
});

test('a quiet quarter of an hour starts the count anew', () => {
  for (let time = 1; time <= 12; time += 1) tryWrongToken('one');
  vi.advanceTimersByTime(15 * 60_000);
  for (let time = 1; time <= 11; time += 1) expect(tryWrongToken('one')).toBe(0);
});

test('each client gets one line in a minute, with the number of its attempts', () => {
  for (let time = 1; time <= 200; time += 1) tryWrongToken('one');
  tryWrongToken('two');
  expect(lines).toEqual([
    { client: 'one', count: 1 },
    { client: 'two', count: 1 },
  ]);
  vi.advanceTimersByTime(60_000);
  expect(lines.slice(2)).toEqual([{ client: 'one', count: 199 }]);
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(3);
});

test('the memory of clients is bounded', () => {
  for (let time = 1; time <= 20; time += 1) tryWrongToken('first');
  for (let client = 1; client <= 10_000; client += 1) tryWrongToken(`client-${client}`);
  expect(() => attempts.admit('first')).not.toThrow();
});

test('an attacker with many addresses cannot flood the log', () => {
  for (let number = 0; number < 1_000; number += 1) {
    tryWrongToken(`client ${number}`);
    tryWrongToken(`client ${number}`);
  }
  expect(lines).toHaveLength(20);
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(41);
  expect(lines.at(-1)).toEqual({ clients: 980, count: 1_960 });
});
