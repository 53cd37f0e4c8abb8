import { countLevels, type Finding, LEVELS, type Level } from '../doctor/finding.ts';
import { paint } from './style.ts';
import { DEFAULT_WIDTH, wrap } from './table.ts';
import { counted, plain } from './text.ts';
import { widthOf } from './width.ts';

const STYLES = { ok: 'green', warning: 'yellow', problem: 'red' } as const;
const LEVEL_WIDTH = Math.max(...LEVELS.map((level) => level.length));
const GAP = '  ';
const LEAST_TEXT_WIDTH = 30;

/** Formats each finding with its reason and its advice, and then a summary line. */
export function formatFindings(
  findings: readonly Finding[],
  { width = process.stdout.columns ?? DEFAULT_WIDTH }: { readonly width?: number } = {},
): string {
  const checkWidth = Math.max(...findings.map(({ check }) => widthOf(check)));
  const indent = LEVEL_WIDTH + checkWidth + 2 * GAP.length;
  const textWidth = Math.max(width - indent, LEAST_TEXT_WIDTH);
  const lines = findings.flatMap(({ check, level, found, why, advice }) => {
    const told = [
      ...hanging('', found, textWidth),
      ...(why === undefined ? [] : hanging('why: ', why, textWidth)),
      ...(advice === undefined ? [] : hanging('do:  ', advice, textWidth)),
    ];
    return told.map((line, index) => {
      const start = index === 0 ? headOf(level, check.padEnd(checkWidth)) : ' '.repeat(indent);
      return `${start}${line}`;
    });
  });
  return [...lines, '', summarise(countLevels(findings))].join('\n');
}

/** Wraps a text and indents its lines by the width of the label. */
function hanging(label: string, text: string, width: number): string[] {
  const lines = wrap(plain(text), width - label.length).split('\n');
  return lines.map((line, index) => `${index === 0 ? label : ' '.repeat(label.length)}${line}`);
}

function headOf(level: Level, check: string): string {
  return `${paint(STYLES[level], level.padEnd(LEVEL_WIDTH))}${GAP}${check}${GAP}`;
}

/** Formats the numbers of findings, as in `1 problem, 2 warnings, 14 ok`. */
function summarise({ ok, warning, problem }: Record<Level, number>): string {
  return `${counted(problem, 'problem')}, ${counted(warning, 'warning')}, ${ok} ok`;
}
