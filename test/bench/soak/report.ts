import { judge, RULE, type Series, type Verdict } from './series.ts';
import type { SettledKeys, SoakResult } from './soak.ts';

/** More keys than before, with nothing running: nobody will remove them. */
const SETTLED_FLOOR = 10;

export interface Judged {
  readonly what: string;
  readonly verdict: Verdict;
}

/** Returns the verdicts on all measurements. */
export function judgeAll({ series, settled }: SoakResult): readonly Judged[] {
  return [
    ...series.map((one) => ({ what: one.what, verdict: judge(one) })),
    ...settled.map((kind) => ({ what: `${kind.what}, settled`, verdict: judgeSettled(kind) })),
  ];
}

function judgeSettled({ before, after }: SettledKeys): Verdict {
  return after - before > SETTLED_FLOOR ? 'growing' : 'flat';
}

/** Formats the report for people, without quantities that are never more than one. */
export function formatSoak({ series, settled, counts }: SoakResult): string {
  const isTelling = (values: readonly number[]) => values.some((value) => value > 1);
  const slices = series[0]?.values.map((_, index) => String(index + 1)) ?? [];
  const rows = series
    .filter(({ values }) => isTelling(values))
    .map((one) => [
      `${one.what}${one.unit === '' ? '' : `, ${one.unit}`}`,
      ...one.values.map((value) => format(value, one)),
      judge(one),
    ]);
  const keys = settled
    .filter(({ before, after }) => isTelling([before, after]))
    .map((kind) => [kind.what, String(kind.before), String(kind.after), judgeSettled(kind)]);
  return [
    Object.entries(counts)
      .map(([name, count]) => `${name}: ${count}`)
      .join(', '),
    '',
    ...table([['at the end of slice', ...slices, ''], ...rows]),
    RULE,
    '',
    ...table([['with nothing under way', 'before', 'after', ''], ...keys]),
    `growing: more than ${SETTLED_FLOOR} more`,
  ].join('\n');
}

function format(value: number, { unit }: Series): string {
  return value.toFixed(unit === 'MB' ? 1 : 0);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const isText = column === 0 || column === columns - 1;
        return isText ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
