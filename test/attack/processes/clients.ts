/** The hostile clients of some scenarios, until they are killed: `clients.ts <options as JSON> <id>…`. */
import { z } from 'zod';
import { yieldToReaders } from '../hostile/priority.ts';
import { Tally } from '../hostile/tally.ts';
import { scenarioOf } from '../scenarios/index.ts';

const REPORT_EVERY_MS = 1_000;

const optionsSchema = z.object({
  apiUrl: z.string(),
  token: z.string(),
  localAddress: z.string(),
});

yieldToReaders();
const [text = '', ...ids] = process.argv.slice(2);
const options = optionsSchema.parse(JSON.parse(text));
const tallies = new Map(ids.map((id) => [id, new Tally()]));
setInterval(() => {
  const answers = Object.fromEntries(
    [...tallies].map(([id, tally]) => [id, tally.answers] as const),
  );
  console.log(JSON.stringify({ level: 'info', msg: 'tallies', answers }));
}, REPORT_EVERY_MS);
console.log(JSON.stringify({ level: 'info', msg: 'begun' }));
await Promise.all(
  [...tallies].map(([id, tally]) =>
    scenarioOf(id).clients?.({ ...options, tally, signal: new AbortController().signal }),
  ),
);
