/**
 * Attacks the whole system, one scenario after the other, and checks that it keeps its promises: `npm run attack`.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { saveResult } from '../bench/results.ts';
import { type Cores, separateCores } from './cores.ts';
import { runMixed } from './mixed.ts';
import { QUIET, runAttack } from './run-attack.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS, scenarioOf } from './scenarios/index.ts';
import { formatTable, type Played } from './table.ts';
import { type Fault, judge, type Observations } from './verdict.ts';

const EXIT_FAILED = 1;
const EXIT_INTERRUPTED = 130;

const { values } = parseArgs({
  options: {
    /** Only these scenarios, such as `X3,X7a`. A name without its letter stands for all: `X7`. */
    only: { type: 'string' },
    /** Prints the scenarios. */
    list: { type: 'boolean', default: false },
    /** How long each attack lasts at least, in seconds. */
    duration: { type: 'string', default: String(QUIET.durationMs / 1_000) },
    /** Runs the attacks at once on one fleet. */
    together: { type: 'boolean', default: false },
    /** Attacks one `syncline up` instead of separate processes. */
    up: { type: 'boolean', default: false },
    /** Attacks with thirty upstreams and a hundred clients at once. */
    mixed: { type: 'boolean', default: false },
    /** How long the mixed attack lasts. */
    minutes: { type: 'string', default: '10' },
  },
});
const options = z
  .object({
    only: z.string().optional(),
    duration: z.coerce.number().positive(),
    minutes: z.coerce.number().positive(),
  })
  .parse(values);
const chosen = choose(options.only);
const log = (line: string) => void process.stderr.write(`${line}\n`);

if (values.list) {
  for (const { id, title } of chosen) console.log(`${id.padEnd(5)} ${title}`);
} else {
  const cores = separateCores();
  log(cores.description);
  const isWithinPromises = values.mixed ? await playMixed(cores) : await playAll(cores);
  if (!isWithinPromises) process.exitCode = EXIT_FAILED;
}

async function playAll(cores: Cores): Promise<boolean> {
  const played: Played[] = [];
  for (const scenarios of values.together ? [chosen] : chosen.map((one) => [one])) {
    const name = nameOf(scenarios);
    log(name);
    const one = { name, ...(await play(scenarios, cores)) };
    played.push(one);
    log(formatTable([one]));
  }
  console.log(formatTable(played));
  const failed = played.filter(({ faults }) => faults.length > 0);
  console.log(`\n${played.length - failed.length} of ${played.length} attacks broke no promise`);
  const { description } = cores;
  log(`kept in ${saveResult('attack', { isUp: values.up, cores: description, played })}`);
  return failed.length === 0;
}

function nameOf(scenarios: readonly Scenario[]): string {
  const [first] = scenarios;
  return first !== undefined && scenarios.length === 1
    ? `${first.id} ${first.title}`
    : scenarios.map(({ id }) => id).join(' ');
}

async function play(scenarios: readonly Scenario[], cores: Cores): Promise<Omit<Played, 'name'>> {
  let observed: Observations | undefined;
  try {
    await withLifetime(async (lifetime) => {
      observed = await runAttack(scenarios, {
        ...QUIET,
        cores,
        isUp: values.up,
        durationMs: options.duration * 1_000,
        lifetime,
      });
    });
    if (observed === undefined) throw new Error('nothing was observed');
    return { observed, faults: judge(observed) };
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    const fault: Fault = { promise: 'lives', found: `the harness failed: ${found}` };
    if (observed === undefined) return { faults: [fault] };
    return { observed, faults: [...judge(observed), fault] };
  }
}

function playMixed(cores: Cores): Promise<boolean> {
  return withLifetime((lifetime) =>
    runMixed({ cores, isUp: values.up, durationMs: options.minutes * 60_000, lifetime, log }),
  );
}

/** Runs a function, and ends everything that it has started, also if this process is interrupted. */
async function withLifetime<Value>(
  act: (lifetime: AsyncDisposableStack) => Promise<Value>,
): Promise<Value> {
  await using lifetime = new AsyncDisposableStack();
  const interrupt = () =>
    void lifetime.disposeAsync().finally(() => process.exit(EXIT_INTERRUPTED));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await act(lifetime);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function choose(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  return only.split(',').flatMap((name) => {
    const ofGroup = SCENARIOS.filter(({ id }) => id.replace(/[a-z]$/, '') === name);
    return ofGroup.length > 0 ? ofGroup : [scenarioOf(name)];
  });
}
