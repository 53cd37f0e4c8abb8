import { test } from 'vitest';
import { together } from '../attack/cores.ts';
import { runScenario } from '../attack/run-scenario.ts';
import { scenarioOf } from '../attack/scenarios/index.ts';
import { judge } from '../attack/verdict.ts';
import { WAITING_MS } from '../support/until.ts';

/** Cheap attacks. `npm run attack` has all of them, with times and sizes. */
const SHORT = ['X2', 'X5', 'X9', 'X13', 'X15', 'R1', 'R4', 'R11'];

// Side by side, since they wait most of the time.
test.concurrent.for(SHORT)(
  'the fleet survives attack %s, names its cause and runs all other registries',
  async (id, { expect }) => {
    await using lifetime = new AsyncDisposableStack();
    const observed = await runScenario(scenarioOf(id), {
      cores: together('a test checks no times'),
      isUp: false,
      undisturbedMs: 0,
      durationMs: 0,
      patienceMs: WAITING_MS,
      namedWithinMs: WAITING_MS,
      lifetime,
    });
    expect(judge(observed, { isTimed: false })).toEqual([]);
  },
);
