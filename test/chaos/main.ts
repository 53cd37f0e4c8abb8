/**
 * Injects faults into the real system, and checks that the system keeps its promises: `npm run chaos -- --seed
 * 1`.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { formatViolation } from './history/check.ts';
import { DEFAULT_PLAN, drawFaults, FAULTS, type Plan, SABOTAGED, SABOTAGES } from './plan.ts';
import { type ChaosResult, runChaos } from './run-chaos.ts';
import { addSummaries, formatSummary, type Summary, summarize } from './summary.ts';

const EXIT_FAILED = 1;
const MOST_VIOLATIONS_SHOWN = 10;

const { values } = parseArgs({
  options: {
    /** The first seed. */
    seed: { type: 'string', default: '1' },
    /** The number of seeds. Each seed is a separate run, one after the other. */
    seeds: { type: 'string', default: '1' },
    /** The duration of each run, in seconds. */
    duration: { type: 'string', default: '120' },
    faults: { type: 'string', default: FAULTS.join(',') },
    /** The number of registries with an interval of five seconds. */
    registries: { type: 'string', default: '20' },
    /** The number of additional registries with an interval of twelve hours. */
    seldom: { type: 'string', default: String(DEFAULT_PLAN.seldom) },
    workers: { type: 'string', default: '4' },
    /**
     * The mechanism to remove from the processes. It sets its own faults and duration, and the checker must find
     * a violation.
     */
    sabotage: { type: 'string' },
  },
});
const options = z
  .object({
    seed: z.coerce.number().int(),
    seeds: z.coerce.number().int().positive(),
    duration: z.coerce.number().int().positive(),
    faults: z
      .string()
      .transform((text) => text.split(',').filter((name) => name !== ''))
      .pipe(z.array(z.enum(FAULTS))),
    registries: z.coerce.number().int().positive(),
    seldom: z.coerce.number().int().nonnegative(),
    workers: z.coerce.number().int().positive(),
    sabotage: z.enum(SABOTAGES).optional(),
  })
  .parse(values);

const summaries: Summary[] = [];
let violations = 0;
let isAsItShouldBe = true;
for (let seed = options.seed; seed < options.seed + options.seeds; seed += 1) {
  const { history, broken } = await play(seed);
  const { sabotage } = options;
  isAsItShouldBe &&=
    sabotage === undefined
      ? broken.length === 0
      : broken.some((violation) => violation.rule === SABOTAGED[sabotage].rule);
  violations += broken.length;
  summaries.push(summarize(history));
}
if (summaries.length > 1) {
  console.log(`\nall ${summaries.length} seeds\n${formatSummary(addSummaries(summaries))}`);
  console.log(`${violations} violations`);
}
if (!isAsItShouldBe) process.exitCode = EXIT_FAILED;

async function play(seed: number): Promise<ChaosResult> {
  await using lifetime = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), 'syncline-chaos-'));
  const log = (line: string) => void process.stderr.write(`${line}\n`);
  const result = await runChaos({ plan: planOf(seed), directory, lifetime, log });
  const { history, broken } = result;
  console.log(`\nseed ${seed}\n${formatSummary(summarize(history))}`);
  for (const violation of broken.slice(0, MOST_VIOLATIONS_SHOWN)) {
    console.log(`\n${formatViolation(violation, history)}`);
  }
  console.log(`${broken.length} violations; the history is in ${directory}`);
  return result;
}

function planOf(seed: number): Plan {
  const { duration, faults, sabotage, registries, seldom, workers } = options;
  const durationMs = duration * 1_000;
  return {
    ...DEFAULT_PLAN,
    seed,
    registries,
    seldom,
    workers,
    durationMs,
    faults: drawFaults({ seed, durationMs, faults }),
    ...(sabotage === undefined ? {} : { ...SABOTAGED[sabotage].plan, sabotage }),
  };
}
