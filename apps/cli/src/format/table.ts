import { cut, fitting, widthOf } from './width.ts';

export interface Column {
  readonly head: string;
  readonly align?: 'left' | 'right';
}

/** What a table is wide where nobody looks at it on a terminal. */
export const DEFAULT_WIDTH = 100;
const GAP = 2;
const LEAST_LAST_WIDTH = 20;

export interface TableOptions {
  /** By default that of the terminal. */
  readonly width?: number;
  /** What becomes of texts that are too long for the last column; `cut` makes each row one line. */
  readonly last?: 'wrap' | 'cut';
}

/** A table without lines. The last column takes what width is left. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width = process.stdout.columns ?? DEFAULT_WIDTH, last = 'wrap' }: TableOptions = {},
): string {
  const head = columns.map((column) => column.head);
  const widths = columns.slice(0, -1).map((_, index) => widest(index, [head, ...rows]));
  const taken = widths.reduce((sum, columnWidth) => sum + columnWidth + GAP, 0);
  const lastWidth = Math.max(width - taken, LEAST_LAST_WIDTH);
  const fitLast = last === 'wrap' ? wrap : cut;
  const lines = [head, ...rows].flatMap((row) => {
    const cells = widths.map((cellWidth, index) =>
      pad(row[index] ?? '', { width: cellWidth, align: columns[index]?.align }),
    );
    const [first = '', ...more] = fitLast(row.at(-1) ?? '', lastWidth).split('\n');
    return [
      [...cells, first].join(' '.repeat(GAP)),
      ...more.map((line) => `${' '.repeat(taken)}${line}`),
    ];
  });
  return lines.map((line) => line.trimEnd()).join('\n');
}

function pad(text: string, { width, align }: { width: number; align: Column['align'] }): string {
  const space = ' '.repeat(width - widthOf(text));
  return align === 'right' ? `${space}${text}` : `${text}${space}`;
}

/** Breaks between words where it can, and within those that are longer than a line, as URLs are. */
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
  const found: string[] = [];
  for (let left = word; left !== ''; ) {
    const piece = widthOf(left) <= width ? left : fitting(left, width);
    found.push(piece);
    left = left.slice(piece.length);
  }
  return found;
}

function widest(index: number, rows: readonly (readonly string[])[]): number {
  return Math.max(...rows.map((row) => widthOf(row[index] ?? '')));
}
