/** Runs the named benchmarks, or all: `npm run bench -- tick full-sync`. */
import type { Benchmark } from './benchmark.ts';
import { catalog } from './catalog/benchmark.ts';
import { delta } from './delta/benchmark.ts';
import { files } from './files/benchmark.ts';
import { fullSync } from './full-sync/benchmark.ts';
import { git } from './git/benchmark.ts';
import { growth } from './growth/benchmark.ts';
import { reads } from './reads/benchmark.ts';
import { recovery } from './recovery/benchmark.ts';
import { formatFigures, saveFigures } from './results.ts';
import { schedules } from './schedules/benchmark.ts';
import { tick } from './tick/benchmark.ts';

const BENCHMARKS: readonly Benchmark[] = [
  tick,
  fullSync,
  delta,
  catalog,
  git,
  schedules,
  recovery,
  files,
  reads,
  growth,
];
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
if (unknown.length > 0) {
  const known = BENCHMARKS.map(({ name, about }) => `  ${name}: ${about}`).join('\n');
  console.error(`there is no benchmark ${unknown.join(', ')}. Use one or more of\n${known}`);
  process.exit(EXIT_USAGE);
}

const log = (line: string) => process.stderr.write(`${line}\n`);
let failed = false;
for (const benchmark of BENCHMARKS) {
  if (asked.length > 0 && !asked.includes(benchmark.name)) continue;
  try {
    await using lifetime = new AsyncDisposableStack();
    const figures = await benchmark.run({
      lifetime,
      log: (line) => log(`${benchmark.name}: ${line}`),
    });
    console.log(formatFigures(benchmark, figures));
    log(`kept in ${saveFigures(benchmark, figures)}`);
  } catch (error) {
    failed = true;
    log(`${benchmark.name} failed: ${error instanceof Error ? error.stack : String(error)}`);
  }
}
process.exitCode = failed ? EXIT_FAILED : 0;
