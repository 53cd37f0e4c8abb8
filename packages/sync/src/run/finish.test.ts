import { expect, test } from 'vitest';
import { createStaticConfigSource } from '../testing/static-config-source.ts';
import { testRun } from '../testing/store-harness.ts';
import { followUpsOf } from './finish.ts';

const LEASE = { registry: 'alpha', term: '1', owner: 'alice' };
const config = createStaticConfigSource({
  registries: [{ name: 'alpha', file: { path: '/not/read' } }],
  catalogs: [{ name: 'default', registries: ['alpha'] }],
});
const quiet = { config, openRequest: undefined };

test('a run that publishes is followed by a run of each catalog of its registry', () => {
  const run = testRun(LEASE, { outcome: 'published' });
  expect(followUpsOf(run, quiet)).toEqual([{ kind: 'dependent', registry: 'catalog.default' }]);
  expect(followUpsOf({ ...run, outcome: 'unchanged' }, quiet)).toEqual([]);
});

test('a request made during the run gets its own run', () => {
  const run = testRun(LEASE, { outcome: 'unchanged' });
  expect(followUpsOf(run, { config, openRequest: 3 })).toEqual([
    { kind: 'request', registry: 'alpha', request: 3 },
  ]);
});

test('a failed run is retried, but not before the retry is due', () => {
  const run = testRun(LEASE, {
    outcome: 'failed',
    finishedAt: '2026-02-01T12:00:00.000Z',
    error: { code: 'source-timeout', message: 'no', nextTryAt: '2026-02-01T12:00:30.000Z' },
  });
  const [retry] = followUpsOf(run, quiet);
  expect(retry).toMatchObject({ kind: 'retry', registry: 'alpha', term: '1' });
  const delayMs = retry?.kind === 'retry' ? retry.delayMs : 0;
  expect(delayMs).toBeGreaterThan(30_000);
  expect(delayMs).toBeLessThan(31_000);
});
