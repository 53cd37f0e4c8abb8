import { styleText } from 'node:util';
import type { Preview } from '@syncline/contract';
import { OFFICIAL_META } from '@syncline/rows';
import { formatTook } from './age.ts';
import { formatDiff } from './runs.ts';
import { counted, joined, plain } from './text.ts';

const COLORS = { '+': 'green', '~': 'yellow', '-': 'red', '!': 'magenta' } as const;
type Mark = keyof typeof COLORS;

/** What a sync would do: a line a row that would come, change, go or be left out, then the numbers. */
export function formatPreview(preview: Preview): string {
  return [...rowLines(preview), ...summaryLines(preview)].join('\n');
}

function rowLines({ diff, changes, quarantined }: Preview): string[] {
  const { samples } = diff;
  const lines = [
    ...marked('+', samples.added, { of: diff.added, what: 'added' }),
    ...marked('~', changes.map(formatChange), { of: diff.updated, what: 'changed' }),
    ...marked('-', samples.removed, { of: diff.removed, what: 'removed' }),
    ...marked(
      '!',
      quarantined.samples.map(({ row, reason }) => `${row}: ${reason}`),
      { of: quarantined.count, what: 'left out' },
    ),
  ];
  return lines.length === 0 ? [] : [...lines, ''];
}

function marked(
  mark: Mark,
  texts: readonly string[],
  { of, what }: { of: number; what: string },
): string[] {
  const lines = texts.map((text) =>
    styleText(COLORS[mark], `${mark} ${plain(text)}`, { stream: process.stdout }),
  );
  const hidden = of - texts.length;
  return hidden > 0 ? [...lines, `  … ${hidden.toLocaleString('en')} more ${what}`] : lines;
}

/** `name@version (description, packages)` */
function formatChange({ row, fields }: Preview['changes'][number]): string {
  const names = fields.map((field) =>
    field.replace(/^server\./, '').replace(`_meta["${OFFICIAL_META}"].`, 'official.'),
  );
  return names.length === 0 ? row : `${row} (${names.join(', ')})`;
}

function summaryLines(preview: Preview): string[] {
  const { registry, quarantined, upstream, durationMs, skillCount, pluginCount } = preview;
  const facts: readonly (readonly [string, string])[] = [
    ['rows', formatRows(preview)],
    ['left out', quarantined.count > 0 ? counted(quarantined.count, 'row') : ''],
    ['besides', skillCount + pluginCount > 0 ? formatBesides(preview) : ''],
    ['guard', formatGuard(preview)],
    ['paused', PAUSED[preview.paused ?? 'not']],
    [
      'read',
      `${counted(upstream.requests, 'request')}, ${counted(upstream.bytes, 'byte')} in ${formatTook(durationMs)}`,
    ],
  ];
  const shown = facts.filter(([, value]) => value !== '');
  const changes = formatDiff(preview.diff);
  return [
    `${registry}: ${VERDICTS[preview.state]}${changes && `: ${changes}`}`,
    ...shown.map(([name, value]) => `  ${name.padEnd(10)}${value}`),
  ];
}

const VERDICTS = {
  'would-publish': 'a sync would publish this',
  'would-hold': 'the guard would hold this back',
  unchanged: 'a sync would change nothing',
} as const;

const PAUSED = {
  not: '',
  'suspended-by-config': 'suspended by the config: it is not synced',
  suspended: 'suspended: it is not synced until syncline resume',
  pinned: 'pinned by a rollback: nothing is published until syncline resume',
} as const;

function formatRows({ rowCount, rowCountBefore, sourceRowCount }: Preview): string {
  return joined([
    `${rowCount.toLocaleString('en')} in place of ${rowCountBefore.toLocaleString('en')}`,
    sourceRowCount !== rowCount &&
      `the source has ${sourceRowCount.toLocaleString('en')} before the filter`,
  ]);
}

function formatBesides({ skillCount, pluginCount }: Preview): string {
  return `${counted(skillCount, 'skill')}, ${counted(pluginCount, 'plugin')}`;
}

function formatGuard({ guard }: Preview): string {
  const { verdict, compared, countBefore, countAfter, lostPercent, maxShrinkPercent } = guard;
  if (verdict === 'empty') return 'holds it back: there is no row';
  if (countBefore === 0) return 'passes: there is nothing to lose';
  const of = compared === 'rowCount' ? 'rows' : 'rows of the source';
  const lost = lostPercent > 0 ? `${lostPercent.toFixed(1)}% lost` : 'none lost';
  const numbers = `${countAfter.toLocaleString('en')} ${of} in place of ${countBefore.toLocaleString('en')}`;
  const says = verdict === 'pass' ? 'passes' : 'holds it back';
  return `${says}: ${numbers}, ${lost}, at most ${maxShrinkPercent}% may be`;
}
