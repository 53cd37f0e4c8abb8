import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { WAITING_MS } from './test/support/until.ts';

/**
 * Limits of time are there against hanging only: on a busy machine anything may take ten times as long. They are
 * longer than {@link WAITING_MS}, so that a wait can say what it waited for.
 */
const HANGING_MS = 300_000;
/** Of a test that starts and stops processes again and again, or lets leases run out. */
const HANGING_E2E_MS = 900_000;

/** Tests wait a third to half of the time, so more than two for each core would compete. */
const MAX_WORKERS = Math.min(4, 2 * availableParallelism());

const ENDS_THREADS = [
  'packages/snapshot/src/encoding/termination-lock.test.ts',
  'packages/sync/src/**/*.test.ts',
];

const patience = {
  setupFiles: ['test/support/patient-wait-for.ts'],
  expect: { poll: { timeout: WAITING_MS } },
  testTimeout: HANGING_MS,
  hookTimeout: HANGING_MS,
};
const redis = {
  globalSetup: ['test/support/build-global-setup.ts', 'test/support/redis-global-setup.ts'],
};
const endToEnd = {
  ...patience,
  ...redis,
  testTimeout: HANGING_E2E_MS,
  hookTimeout: HANGING_E2E_MS,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{packages,apps}/*/src/**/*.test.ts',
            'test/{support,bench,attack}/**/*.test.ts',
            'test/chaos/history/**/*.test.ts',
          ],
          exclude: ['**/*.redis.test.ts', ...ENDS_THREADS],
          maxWorkers: MAX_WORKERS,
          // To load the modules again for each file would take as long as the tests.
          isolate: false,
          sequence: { groupOrder: 0 },
          ...patience,
        },
      },
      {
        test: {
          // Node can crash when many threads have been ended in a process, so each file has a process of its own.
          name: 'unit-threads',
          include: ENDS_THREADS,
          maxWorkers: MAX_WORKERS,
          sequence: { groupOrder: 0 },
          ...patience,
        },
      },
      {
        test: {
          name: 'redis',
          include: [
            '{packages,apps}/*/src/**/*.redis.test.ts',
            'test/{support,chaos}/**/*.redis.test.ts',
          ],
          maxWorkers: MAX_WORKERS,
          sequence: { groupOrder: 1 },
          ...patience,
          ...redis,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          maxWorkers: MAX_WORKERS,
          sequence: { groupOrder: 2 },
          ...endToEnd,
        },
      },
      {
        test: {
          // One plan at a time: whether the system keeps its promises must not depend on other plans.
          name: 'chaos',
          include: ['test/chaos/**/*.e2e.test.ts'],
          maxWorkers: 1,
          maxConcurrency: 3,
          sequence: { groupOrder: 3 },
          ...endToEnd,
        },
      },
    ],
  },
});
