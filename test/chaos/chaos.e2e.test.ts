import path from 'node:path';
import { temporaryDirectory, testLifetime } from '@syncline/test/support';
import { expect, test } from 'vitest';
import { formatViolation } from './history/check.ts';
import {
  DEFAULT_PLAN,
  type Plan,
  type PlannedFault,
  SABOTAGED,
  SABOTAGED_DURATION_MS,
} from './plan.ts';
import { runChaos } from './run-chaos.ts';
import { summarize } from './summary.ts';

const TEST_TIMEOUT_MS = 180_000;

async function play(faults: readonly PlannedFault[], changes: Partial<Plan> = {}) {
  const directory = path.join(await temporaryDirectory(), 'history');
  const lines: string[] = [];
  const { history, broken } = await runChaos({
    plan: {
      ...DEFAULT_PLAN,
      seed: 1,
      durationMs: 20_000,
      registries: 9,
      workers: 3,
      faults,
      ...changes,
    },
    directory,
    lifetime: testLifetime,
    log: (line) => void lines.push(line),
  });
  const shown = broken.map((violation) => formatViolation(violation, history));
  return { lines, broken, shown, summary: summarize(history) };
}

test(
  'processes are killed and frozen, Redis too, and all that is promised holds',
  async () => {
    const { shown, summary } = await play([
      { atMs: 500, fault: 'pause-worker' },
      { atMs: 3_000, fault: 'kill-redis' },
      { atMs: 6_000, fault: 'kill-scheduler' },
      { atMs: 8_000, fault: 'kill-api' },
      { atMs: 9_000, fault: 'kill-worker' },
    ]);
    expect(shown).toEqual([]);
    // They bit.
    expect(summary.faults).toEqual({
      'pause worker': 1,
      'kill-redis': 1,
      'kill scheduler': 1,
      'kill api': 1,
      'kill worker': 1,
    });
    expect(summary.takeovers).toBeGreaterThan(0);
    expect(summary.requestsAcknowledged).toBeGreaterThan(0);
    expect(summary.snapshotsRead).toBeGreaterThan(0);
  },
  TEST_TIMEOUT_MS,
);

// The others take longer: `npm run chaos -- --sabotage fence`.
test(
  'workers without their lease are found out',
  async () => {
    const { rule, plan } = SABOTAGED.lease;
    const { broken } = await play(plan.faults, {
      ...plan,
      sabotage: 'lease',
      durationMs: SABOTAGED_DURATION_MS,
    });
    expect([...new Set(broken.map((violation) => violation.rule))]).toContain(rule);
  },
  TEST_TIMEOUT_MS,
);
