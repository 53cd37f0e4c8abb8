/** Hurts the real system, and decides whether it was right all the while: `npm run chaos -- --seed 1`. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { formatViolation } from './history/check.ts';
import { DEFAULT_PLAN, drawFaults, FAULTS, type Plan, SABOTAGED, SABOTAGES } from './plan.ts';
import { runChaos } from './run-chaos.ts';
import { formatSummary, summarize } from './summary.ts';

const EXIT_FAILED = 1;
const MOST_VIOLATIONS_SHOWN = 10;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    /** Seconds. */
    duration: { type: 'string', default: '120' },
    faults: { type: 'string', default: FAULTS.join(',') },
    registries: { type: 'string', default: '20' },
    workers: { type: 'string', default: '3' },
    /** How many others there are, of an interval of twelve hours. */
    seldom: { type: 'string', default: String(DEFAULT_PLAN.seldom) },
    /** What processes are to do without, with faults and a duration of its own; the checker must see it. */
    sabotage: { type: 'string' },
  },
});
const { seed, duration, faults, registries, seldom, workers, sabotage } = z
  .object({
    seed: z.coerce.number().int(),
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
const durationMs = duration * 1_000;
const plan: Plan = {
  ...DEFAULT_PLAN,
  seed,
  registries,
  seldom,
  workers,
  durationMs,
  faults: drawFaults({ seed, durationMs, faults }),
  ...(sabotage === undefined ? {} : { ...SABOTAGED[sabotage].plan, sabotage }),
};

await using lifetime = new AsyncDisposableStack();
const directory = await mkdtemp(path.join(tmpdir(), 'syncline-chaos-'));
const { history, broken } = await runChaos({
  plan,
  directory,
  lifetime,
  log: (line) => process.stderr.write(`${line}\n`),
});
console.log(formatSummary(summarize(history)));
for (const violation of broken.slice(0, MOST_VIOLATIONS_SHOWN)) {
  console.log(`\n${formatViolation(violation, history)}`);
}
console.log(`\n${broken.length} violations; the history is in ${directory}`);
const asItShouldBe =
  sabotage === undefined
    ? broken.length === 0
    : broken.some((violation) => violation.rule === SABOTAGED[sabotage].rule);
if (!asItShouldBe) process.exitCode = EXIT_FAILED;
