import { cut, fitting, widthOf } from './width.ts';

export interface Column<Row> {
  readonly head: string;
  readonly align?: 'left' | 'right';
  readonly cell: (row: Row) => string;
}

/** The width of output that is not written to a terminal. */
export const DEFAULT_WIDTH = 100;
const GAP = 2;
const LEAST_LAST_WIDTH = 20;

export interface TableOptions {
  /** The width of the table. Default: the width of the terminal. */
  readonly width?: number;
  /** How to fit long texts into the last column: `cut` keeps each row on one line. Default: `wrap`. */
  readonly last?: 'wrap' | 'cut';
}

/** Formats a table without borders. The last column takes the remaining width. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width = process.stdout.columns ?? DEFAULT_WIDTH, last = 'wrap' }: TableOptions = {},
): string {
  const texts = [
    columns.map(({ head }) => head),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
  ];
  const widths = columns
    .slice(0, -1)
    .map((_, index) => Math.max(...texts.map((cells) => widthOf(cells[index] ?? ''))));
  const taken = widths.reduce((sum, columnWidth) => sum + columnWidth + GAP, 0);
  const lastWidth = Math.max(width - taken, LEAST_LAST_WIDTH);
  const fitLast = last === 'wrap' ? wrap : cut;
  const lines = texts.flatMap((cells) => {
    const padded = widths.map((cellWidth, index) => {
      const text = cells[index] ?? '';
      const space = ' '.repeat(cellWidth - widthOf(text));
      return columns[index]?.align === 'right' ? `${space}${text}` : `${text}${space}`;
    });
    const [first = '', ...more] = fitLast(cells.at(-1) ?? '', lastWidth).split('\n');
    return [
      [...padded, first].join(' '.repeat(GAP)),
      ...more.map((line) => `${' '.repeat(taken)}${line}`),
    ];
  });
  return lines.map((line) => line.trimEnd()).join('\n');
}

/** Formats facts, one name and value per line. Skips facts without a value. */
export function formatFacts(
  facts: readonly (readonly [name: string, value: string | undefined])[],
): string[] {
  const width = Math.max(...facts.map(([name]) => name.length)) + GAP;
  return facts
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name.padEnd(width)}${value}`);
}

/** Breaks a text between words. Also breaks words that are longer than a line, such as URLs. */
export function wrap(text: string, width: number): string {
  const lines: string[] = [];
  for (const piece of text.split(' ').flatMap((word) => pieces(word, width))) {
    const line = lines.at(-1);
    if (line === undefined || widthOf(line) + 1 + widthOf(piece) > width) lines.push(piece);
    else lines[lines.length - 1] = `${line} ${piece}`;
  }
  return lines.join('\n');
}

function pieces(word: string, width: number): string[] {
  if (widthOf(word) <= width) return word === '' ? [] : [word];
  const first = fitting(word, width);
  return [first, ...pieces(word.slice(first.length), width)];
}
