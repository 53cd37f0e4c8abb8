import { appendFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryDirectory } from '@syncline/test/support';
import { expect, test } from 'vitest';
import { readHistory } from './history.ts';
import { machineMs, openHistory } from './recorder.ts';

test('the records of all processes are read in the order of the machine’s clock', async () => {
  const directory = await temporaryDirectory();
  const one = openHistory(path.join(directory, 'one.ndjson'));
  const other = openHistory(path.join(directory, 'other.ndjson'));
  const before = machineMs();
  one.record({ kind: 'store-unknown', why: 'first' });
  other.record({ kind: 'store-unknown', why: 'second' });
  one.record({ kind: 'store-unknown', why: 'third' });
  one.close();
  other.close();
  const { events } = await readHistory(directory);
  expect(events).toMatchObject([
    { process: 'one', why: 'first' },
    { process: 'other', why: 'second' },
    { process: 'one', why: 'third' },
  ]);
  expect(events[0]?.atMs).toBeGreaterThanOrEqual(before);
});

test('a last line without an end is ignored, and any other invalid line is an error', async () => {
  const directory = await temporaryDirectory();
  const file = path.join(directory, 'one.ndjson');
  const recorder = openHistory(file);
  recorder.record({ kind: 'history-ended' });
  recorder.close();
  await appendFile(file, '{"kind":"lease-acq');
  expect((await readHistory(directory)).events).toHaveLength(1);
  await appendFile(file, '\n');
  await expect(readHistory(directory)).rejects.toThrow(
    'one.ndjson:2 is no event: {"kind":"lease-acq',
  );
  await writeFile(file, '{"kind":"lease-acquired","atMs":1,"wallMs":1}\n');
  await expect(readHistory(directory)).rejects.toThrow('one.ndjson:1 is no event');
});
