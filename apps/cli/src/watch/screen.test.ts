import { expect, test } from 'vitest';
import { openScreen } from './watch-on-screen.ts';

function recorder(rows = 3) {
  const written: string[] = [];
  return { columns: 20, rows, written, write: (text: string) => written.push(text) > 0 };
}

test('a frame overwrites the previous one, and has at most the lines of the terminal', () => {
  const stream = recorder();
  const screen = openScreen(stream);
  screen.draw(['one', 'two', 'three', 'four']);
  const frame = stream.written.at(-1) ?? '';
  expect(frame).toContain('\u001b[Hone\u001b[K\r\ntwo\u001b[K\r\nthree\u001b[K\u001b[J');
  // If each frame cleared the whole screen first, the screen would flicker.
  expect(frame).not.toContain('\u001b[2J');
  expect(frame).not.toContain('four');
});

test('the terminal is restored once, and not drawn on afterwards', () => {
  const stream = recorder();
  const screen = openScreen(stream);
  screen.close();
  screen.close();
  screen.draw(['late']);
  expect(stream.written).toEqual([
    '\u001b[?1049h\u001b[?25l\u001b[?7l',
    '\u001b[?7h\u001b[?25h\u001b[?1049l',
  ]);
});
