import { expect, test } from 'vitest';
import { isGitRecent } from './git-version.ts';

test.each([
  ['git version 2.39.5', true],
  ['git version 2.39.4', true],
  ['git version 2.40.0', true],
  ['git version 2.50.1 (Apple Git-155)', true],
  ['git version 3.0.0-rc1', true],
  ['git version 2.47', true],
  ['git version 2.39.3', false],
  ['git version 2.30.2', false],
  ['git version 2.39', false],
  ['git version 1.99.9', false],
  ['not a version', false],
])('%s is recent enough: %s', (answer, isRecent) => {
  expect(isGitRecent(answer)).toBe(isRecent);
});
