/** Runs 100,000 ticks and more on the whole system, and checks whether anything grows: `npm run soak`. */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { saveResult } from '../results.ts';
import { formatSoak, judgeAll } from './report.ts';
import { soak } from './soak.ts';

const EXIT_FAILED = 1;

const { values } = parseArgs({ options: { ticks: { type: 'string', default: '100000' } } });
const { ticks } = z.object({ ticks: z.coerce.number().int().positive() }).parse(values);

await using lifetime = new AsyncDisposableStack();
const log = (line: string) => process.stderr.write(`${line}\n`);
const result = await soak({ ticks, lifetime, log });
const judged = judgeAll(result);
const growing = judged.filter(({ verdict }) => verdict === 'growing');
console.log(formatSoak(result));
console.log(
  growing.length === 0
    ? '\nnothing grows'
    : `\ngrowing: ${growing.map(({ what }) => what).join('; ')}`,
);
log(`kept in ${saveResult('soak', { ...result, judged })}`);
if (growing.length > 0) process.exitCode = EXIT_FAILED;
