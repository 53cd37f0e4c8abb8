import { expect, test } from 'vitest';
import { createLiveLine, createProgressLines } from './progress.ts';

function recorder(columns = 40) {
  const written: string[] = [];
  return { columns, written, write: (text: string) => written.push(text) > 0 };
}

test('a live line is overwritten, fits the terminal, and is removed at the end', () => {
  const stream = recorder();
  const line = createLiveLine(stream);
  line.show({ stage: 'Syncing', text: 'official: read 100 rows', elapsedMs: 1_234 });
  line.show({ stage: 'Syncing', text: `官方: ${'行'.repeat(40)}`, elapsedMs: 62_000 });
  line.end();
  expect(stream.written).toEqual([
    '\r\u001b[Kofficial: read 100 rows 1.2s',
    `\r\u001b[K官方: ${'行'.repeat(13)}… 1m02s`,
    '\r\u001b[K',
  ]);
});

test('without a terminal, each change prints a line, and progress prints one every few seconds', () => {
  const stream = recorder();
  const lines = createProgressLines(stream);
  const show = (elapsedMs: number, stage: string, text: string) =>
    lines.show({ stage, text, elapsedMs });
  show(500, 'queued', 'waits');
  show(2_500, 'queued', 'waits');
  show(3_000, 'Syncing', 'read 1');
  show(3_500, 'Syncing', 'read 2');
  show(8_000, 'Syncing', 'read 3');
  show(20_000, 'Syncing', 'read 3');
  lines.end();
  expect(stream.written).toEqual(['waits\n', 'read 1\n', 'read 3\n']);
});
