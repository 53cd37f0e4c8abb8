/**
 * Runs the upstream as a separate program, so that a benchmark does not count the cost of the upstream:
 *
 *     node test/support/upstream/main.ts --generate 100000 --seed 1
 *     node test/support/upstream/main.ts --rows rows.ndjson --port 8090
 *
 * It prints its URL as one line of JSON. A parent process can change the rows: see messages.ts.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { generateUnordered } from '../rows/generate.ts';
import { assertOfficialRow, type OfficialRow } from '../rows/row.ts';
import { startUpstream } from '../upstream.ts';
import { commandSchema, type Report } from './messages.ts';

const { values } = parseArgs({
  options: {
    generate: { type: 'string' },
    seed: { type: 'string', default: '1' },
    rows: { type: 'string' },
    port: { type: 'string', default: '0' },
  },
});

const upstream = await startUpstream({
  rows: generateUnordered({ count: Number(values.generate ?? 0), seed: Number(values.seed) }),
  port: Number(values.port),
  recording: false,
  // With compression, the upstream would be the slower part of the measurement.
  gzip: false,
  lifetime: { defer: () => {} },
});
if (values.rows !== undefined) {
  for await (const row of readRows(values.rows)) upstream.upsert([row]);
}

const report = (message: Report) => process.send?.(message);
const ready = { url: upstream.url, rows: upstream.size };
console.log(JSON.stringify(ready));
report(ready);

process.on('message', (message) => {
  const { id, upsert } = commandSchema.parse(message);
  upstream.upsert(upsert);
  report({ done: id });
});
// When the parent process ends, for whatever reason, the channel closes.
process.on('disconnect', () => process.exit());

/** Reads rows from a file: either one row per line, or `{servers: []}`. */
async function* readRows(file: string): AsyncGenerator<OfficialRow> {
  if (file.endsWith('.ndjson')) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      if (line !== '') yield asRow(JSON.parse(line));
    }
    return;
  }
  const { servers }: { servers: unknown[] } = JSON.parse(readFileSync(file, 'utf8'));
  for (const row of servers) yield asRow(row);
}

function asRow(row: unknown): OfficialRow {
  assertOfficialRow(row);
  return row;
}
