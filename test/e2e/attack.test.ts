import { test } from 'vitest';
import { together } from '../attack/cores.ts';
import { runAttack } from '../attack/run-attack.ts';
import { scenarioOf } from '../attack/scenarios/index.ts';
import { judge } from '../attack/verdict.ts';
import { WAITING_MS } from '../support/until.ts';

/** Cheap attacks, those of one text on one fleet. `npm run attack` has all of them, with times and sizes. */
const SHORT = ['X2 X9 X10 R1 R4 R11', 'X13 X15', 'X5'];

// Side by side, since they wait most of the time.
test.concurrent.for(SHORT)(
  'a fleet survives the attacks %s, names their causes and runs all other registries',
  async (ids, { expect }) => {
    await using lifetime = new AsyncDisposableStack();
    const observed = await runAttack(ids.split(' ').map(scenarioOf), {
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
