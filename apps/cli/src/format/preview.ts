import type { Preview } from '@syncline/contract';
import { OFFICIAL_META } from '@syncline/rows';
import { formatTook } from './age.ts';
import { formatDiff } from './runs.ts';
import { paint } from './style.ts';
import { formatFacts } from './table.ts';
import { counted, formatCount, joined, plain } from './text.ts';

const COLORS = { '+': 'green', '~': 'yellow', '-': 'red', '!': 'magenta' } as const;

/**
 * Formats what a sync would do: one line for each row that it would change or skip, and then the
 * totals.
 */
export function formatPreview(preview: Preview): string {
  const { diff, changes, quarantined } = preview;
  const { added, removed } = diff.samples;
  const skipped = quarantined.samples.map(({ row, reason }) => `${row}: ${reason}`);
  const lines = [
    ...marked('+', added, { of: diff.added, what: 'added' }),
    ...marked('~', changes.map(formatChange), { of: diff.updated, what: 'changed' }),
    ...marked('-', removed, { of: diff.removed, what: 'removed' }),
    ...marked('!', skipped, { of: quarantined.count, what: 'skipped' }),
  ];
  return [...lines, ...(lines.length === 0 ? [] : ['']), ...summaryLines(preview)].join('\n');
}

function marked(
  mark: keyof typeof COLORS,
  texts: readonly string[],
  { of, what }: { of: number; what: string },
): string[] {
  const lines = texts.map((text) => paint(COLORS[mark], `${mark} ${plain(text)}`));
  const hidden = of - texts.length;
  return hidden > 0 ? [...lines, `  … ${formatCount(hidden)} more ${what}`] : lines;
}

/** Formats a changed row, as in `name@version (description, packages)`. */
function formatChange({ row, fields }: Preview['changes'][number]): string {
  const names = fields.map((field) =>
    field.replace(/^server\./, '').replace(`_meta["${OFFICIAL_META}"].`, 'official.'),
  );
  return names.length === 0 ? row : `${row} (${names.join(', ')})`;
}

function summaryLines(preview: Preview): string[] {
  const { registry, paused, quarantined, upstream, durationMs, ...counts } = preview;
  const { rowCount, rowCountBefore, sourceRowCount, skillCount, pluginCount } = counts;
  const rows = `${formatCount(rowCount)} instead of ${formatCount(rowCountBefore)}`;
  const isFiltered = sourceRowCount !== rowCount;
  const besides = `${counted(skillCount, 'skill')}, ${counted(pluginCount, 'plugin')}`;
  const read = `${counted(upstream.requests, 'request')}, ${counted(upstream.bytes, 'byte')}`;
  const facts = formatFacts([
    [
      'rows',
      joined([
        rows,
        isFiltered && `the source has ${formatCount(sourceRowCount)} before the filter`,
      ]),
    ],
    ['skipped', quarantined.count > 0 ? counted(quarantined.count, 'row') : undefined],
    ['besides', skillCount + pluginCount > 0 ? besides : undefined],
    ['guard', formatGuard(preview)],
    ['paused', paused === null ? undefined : PAUSED[paused]],
    ['read', `${read} in ${formatTook(durationMs)}`],
  ]);
  const changes = formatDiff(preview.diff);
  return [
    `${registry}: ${VERDICTS[preview.state]}${changes && `: ${changes}`}`,
    ...facts.map((fact) => `  ${fact}`),
  ];
}

const VERDICTS = {
  'would-publish': 'a sync would publish this state',
  'would-hold': 'the guard would hold this state',
  unchanged: 'a sync would change nothing',
} as const;

const PAUSED = {
  'suspended-by-config': 'the config suspends the registry: Syncline does not sync it',
  suspended: 'suspended: Syncline does not sync the registry until you run `syncline resume`',
  pinned: 'pinned by a rollback: Syncline publishes nothing until you run `syncline resume`',
} as const;

function formatGuard({ guard }: Preview): string {
  const { verdict, compared, countBefore, countAfter, lostPercent, maxShrinkPercent } = guard;
  if (verdict === 'empty') return 'holds the state, because the state has no rows';
  if (countBefore === 0) return 'passes, because Syncline has not served rows before';
  const of = compared === 'rowCount' ? 'rows' : 'rows of the source';
  const lost = lostPercent > 0 ? `${lostPercent.toFixed(1)}% lost` : 'none lost';
  const numbers = `${formatCount(countAfter)} ${of} instead of ${formatCount(countBefore)}`;
  const says = verdict === 'pass' ? 'passes' : 'holds the state';
  return `${says}: ${numbers}, ${lost}, limit ${maxShrinkPercent}%`;
}
