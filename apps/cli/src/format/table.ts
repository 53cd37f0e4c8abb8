import Table from 'cli-table3';
import { cut, fitting, widthOf } from './width.ts';

export interface Column {
  readonly head: string;
  readonly align?: 'left' | 'right';
}

/** What a table is wide where nobody looks at it on a terminal. */
export const DEFAULT_WIDTH = 100;
const GAP = 2;
const LEAST_LAST_WIDTH = 20;

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

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
  const widths = columns.slice(0, -1).map((_, index) => widest(index, [head, ...rows]) + GAP);
  const taken = widths.reduce((sum, columnWidth) => sum + columnWidth, 0);
  const lastWidth = Math.max(width - taken, LEAST_LAST_WIDTH);
  const table = new Table({
    head,
    // The gap belongs to the column, also after the last one.
    colWidths: [...widths, lastWidth + GAP],
    colAligns: columns.map(({ align = 'left' }) => align),
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [] },
  });
  const fitted = last === 'wrap' ? wrap : cut;
  for (const row of rows) table.push([...row.slice(0, -1), fitted(row.at(-1) ?? '', lastWidth)]);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
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
