import { defineConfig } from 'vitest/config';

const redis = { globalSetup: ['test/support/redis-global-setup.ts'] };
const ALL_CORES = '100%';
/** Of what waits for Redis and for processes more than it computes. */
const WAITING_AT_ONCE = 4;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{packages,apps}/*/src/**/*.test.ts',
            'test/{support,bench}/**/*.test.ts',
            'test/chaos/history/**/*.test.ts',
          ],
          exclude: ['**/*.redis.test.ts'],
          maxWorkers: ALL_CORES,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'redis',
          include: [
            '{packages,apps}/*/src/**/*.redis.test.ts',
            'test/{support,chaos}/**/*.redis.test.ts',
          ],
          maxWorkers: WAITING_AT_ONCE,
          testTimeout: 20_000,
          hookTimeout: 20_000,
          ...redis,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/chaos/**/*.e2e.test.ts'],
          maxWorkers: WAITING_AT_ONCE,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          ...redis,
        },
      },
    ],
  },
});
