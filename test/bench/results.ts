import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import path from 'node:path';
import type { Benchmark, Figure } from './benchmark.ts';

const RESULTS_DIRECTORY = path.join(import.meta.dirname, 'results');

/** How many times the baseline's figure ours is. */
function ratioOf({ baseline, syncline }: Figure): number | undefined {
  return baseline === undefined || syncline === undefined ? undefined : syncline / baseline;
}

/** Whether a figure meets its limit; empty if it has none. */
function verdictOn({ syncline, wantedBelow, unit }: Figure): string {
  if (syncline === undefined || wantedBelow === undefined) return '';
  return `under ${wantedBelow} ${unit}: ${syncline < wantedBelow ? 'met' : 'missed'}`;
}

/** Formats the figures as a table for people. */
export function formatFigures({ name, about }: Benchmark, figures: readonly Figure[]): string {
  const isAnyWanted = figures.some(({ wantedBelow }) => wantedBelow !== undefined);
  const rows = [
    ['', 'baseline', 'syncline', 'ratio', isAnyWanted ? 'wanted' : ''],
    ...figures.map((figure) => [
      figure.what,
      formatNumber(figure.baseline, figure.unit),
      formatNumber(figure.syncline, figure.unit),
      formatNumber(ratioOf(figure), '×'),
      verdictOn(figure),
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('   ')
      .trimEnd(),
  );
  return `\n${name}: ${about}\n${lines.join('\n')}\n`;
}

/** Writes the figures to `results/<name>.json`, and prints where. */
export function saveFigures({ name, about }: Benchmark, figures: readonly Figure[]): string {
  const withRatios = figures.map((figure) => ({ ...figure, ratio: ratioOf(figure) }));
  return saveResult(name, { about, figures: withRatios });
}

/** Writes the measurements, with their time and machine, to `results/<name>.json`, and prints where. */
export function saveResult(name: string, measured: object): string {
  mkdirSync(RESULTS_DIRECTORY, { recursive: true });
  const file = path.join(RESULTS_DIRECTORY, `${name}.json`);
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
  };
  const result = { name, measuredAt: new Date().toISOString(), machine, ...measured };
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}

function formatNumber(value: number | undefined, unit: string): string {
  if (value === undefined) return '';
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  const number = value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return unit === '×' ? `${number}${unit}` : `${number} ${unit}`;
}
