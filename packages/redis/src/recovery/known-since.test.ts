import { expect, test } from 'vitest';
import { knownSince } from './sweeper.ts';

test('only a registry that the config adds, or adds again, counts as new', () => {
  let known = knownSince(new Map(), { names: ['stays', 'goes'], nowMs: 1 });
  known = knownSince(known, { names: ['stays', 'comes'], nowMs: 2 });
  expect(Object.fromEntries(known)).toEqual({ stays: 1, comes: 2 });
  known = knownSince(known, { names: ['stays', 'goes'], nowMs: 3 });
  expect(Object.fromEntries(known)).toEqual({ stays: 1, goes: 3 });
});
