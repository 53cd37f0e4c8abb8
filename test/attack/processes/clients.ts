/** The hostile clients of one scenario, until they are killed: `clients.ts <id> <options as JSON>`. */
import { setPriority } from 'node:os';
import { z } from 'zod';
import { LESS_THAN_READERS } from '../hostile/priority.ts';
import { Tally } from '../hostile/tally.ts';
import { scenarioOf } from '../scenarios/index.ts';

const REPORT_EVERY_MS = 1_000;

setPriority(LESS_THAN_READERS);
const [id, options] = z
  .tuple([
    z.string(),
    z
      .string()
      .transform((text) =>
        z
          .object({ apiUrl: z.string(), token: z.string(), localAddress: z.string() })
          .parse(JSON.parse(text)),
      ),
  ])
  .parse(process.argv.slice(2));
const tally = new Tally();
setInterval(() => {
  const { requests, answers } = tally;
  console.log(JSON.stringify({ level: 'info', msg: 'tally', requests, answers }));
}, REPORT_EVERY_MS);
console.log(JSON.stringify({ level: 'info', msg: 'begun' }));
await scenarioOf(id).clients?.({ ...options, tally, signal: new AbortController().signal });
