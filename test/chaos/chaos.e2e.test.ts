import path from 'node:path';
import { temporaryDirectory } from '@syncline/test/support';
import { expect, test } from 'vitest';
import { formatViolation } from './history/check.ts';
import { DEFAULT_PLAN, type Plan, SABOTAGED, SABOTAGES } from './plan.ts';
import { runChaos } from './run-chaos.ts';
import { summarize } from './summary.ts';

/** The promised figures are for a machine that does nothing else; `npm run chaos` has them. */
const LIMITS = { lateMs: 200_000, recoveryMs: 200_000, quietAfterMs: 20_000, removalMs: 100_000 };

async function play(changes: Partial<Plan>, limits = {}) {
  await using lifetime = new AsyncDisposableStack();
  const directory = path.join(await temporaryDirectory(lifetime), 'history');
  const { history, broken } = await runChaos({
    plan: {
      ...DEFAULT_PLAN,
      seed: 1,
      durationMs: 20_000,
      registries: 6,
      seldom: 3,
      workers: 3,
      faults: [],
      ...changes,
    },
    limits,
    directory,
    lifetime,
    log: () => {},
  });
  return { history, broken };
}

test('every invariant holds while processes are killed and frozen, and Redis and the network fail', async () => {
  const { history, broken } = await play(
    {
      // There is always a run to disturb.
      slowEvery: 1,
      faults: [
        { atMs: 500, fault: 'pause-worker' },
        { atMs: 2_000, fault: 'cut-redis' },
        { atMs: 3_000, fault: 'kill-redis' },
        { atMs: 6_000, fault: 'kill-scheduler' },
        { atMs: 8_000, fault: 'kill-api' },
        { atMs: 9_000, fault: 'fill-memory' },
        { atMs: 10_000, fault: 'kill-worker' },
      ],
    },
    LIMITS,
  );
  expect(broken.map((violation) => formatViolation(violation, history))).toEqual([]);
  // The faults had an effect.
  const summary = summarize(history);
  expect(Object.values(summary.faults)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  expect(summary.takeovers).toBeGreaterThan(0);
  expect(summary.requestsAcknowledged).toBeGreaterThan(0);
  expect(summary.snapshotsRead).toBeGreaterThan(0);
});

// Side by side, since they wait most of the time. Other plans only add to what the checker finds.
test.concurrent.for(SABOTAGES)(
  'the checker finds the violations of processes that run without the %s',
  async (sabotage, { expect }) => {
    const { rule, plan } = SABOTAGED[sabotage];
    const { broken } = await play({ workers: 2, schedulers: 1, apis: 1, ...plan, sabotage });
    expect([...new Set(broken.map((violation) => violation.rule))]).toContain(rule);
  },
);
