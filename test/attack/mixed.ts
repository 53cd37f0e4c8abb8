import { median } from '../bench/measure/statistics.ts';
import { saveResult } from '../bench/results.ts';
import { judge as judgeSeries, RULE, type Series } from '../bench/soak/series.ts';
import type { Lifetime } from '../support/lifetime.ts';
import { PROMISES } from './contract.ts';
import type { Cores } from './cores.ts';
import { QUIET, runAttack } from './run-attack.ts';
import { MIXED } from './scenarios/index.ts';
import { formatTable } from './table.ts';
import { judge, megabytes } from './verdict.ts';

const PRINT_EVERY_MS = 10_000;
/** As many slices as a soak has, so that the same rule tells whether memory grows. */
const SLICES = 10;
/** More memory than this is no growth, whatever its share. */
const FLOOR_MB = 50;

export interface MixedOptions {
  readonly cores: Cores;
  readonly isUp: boolean;
  readonly durationMs: number;
  readonly lifetime: Lifetime;
  readonly log: (line: string) => void;
}

/** Attacks with everything at once, and prints the memory over time. Returns whether all promises held. */
export async function runMixed(options: MixedOptions): Promise<boolean> {
  const { log } = options;
  const samples = new Map<string, number[]>();
  const begunAt = performance.now();
  let printedAt = -Infinity;
  const observed = await runAttack(MIXED, {
    ...QUIET,
    ...options,
    onLook: (memory, fleet) => {
      const now = memory.now();
      const roles = fleet.processes.map(({ role }) => role);
      for (const [index, role] of roles.entries()) {
        const values = samples.get(role) ?? [];
        values.push(megabytes(now[index] ?? 0));
        samples.set(role, values);
      }
      if (performance.now() - printedAt < PRINT_EVERY_MS) return;
      printedAt = performance.now();
      const seconds = Math.round((printedAt - begunAt) / 1_000);
      const used = roles.map((role, index) => `${role} ${megabytes(now[index] ?? 0)} MB`);
      log(`${String(seconds).padStart(4)} s  ${used.join(', ')}`);
    },
  });
  const series = [...samples].map(([what, values]) => toSeries(what, values));
  const faults = judge(observed);
  console.log(formatTable([{ name: 'mixed', observed, faults }]));
  console.log(
    `\nmemory, MB, as the median of each tenth of the time\n${formatSeries(series)}\n${RULE}`,
  );
  for (const { role, limitBytes, peakBytes } of observed.memory) {
    const most = megabytes(limitBytes * (1 + PROMISES.memoryTolerance));
    console.log(`${role}: peak ${megabytes(peakBytes)} MB, at most ${most} MB`);
  }
  log(
    `kept in ${saveResult('attack-mixed', { ...observed, samples: Object.fromEntries(samples) })}`,
  );
  return faults.length === 0 && series.every((one) => judgeSeries(one) !== 'growing');
}

function toSeries(what: string, values: readonly number[]): Series {
  const size = values.length / SLICES;
  const slices = Array.from({ length: SLICES }, (_, index) =>
    values.slice(Math.floor(index * size), Math.floor((index + 1) * size)),
  );
  const isLong = slices.every((slice) => slice.length > 0);
  return { what, unit: 'MB', floor: FLOOR_MB, values: isLong ? slices.map(median) : [] };
}

function formatSeries(series: readonly Series[]): string {
  return series
    .map((one) => `${one.what.padEnd(10)} ${one.values.join('  ')}  ${judgeSeries(one)}`)
    .join('\n');
}
