import type { Diff, Run } from '@syncline/contract';
import { counted, joined, plain } from './text.ts';

/** `+12`, `+3 ~1 -2`: rows added, updated and removed; empty where nothing is known or changed. */
export function formatDiff(diff: Diff | undefined): string {
  if (diff === undefined) return '';
  const { added, updated, removed } = diff;
  return [added > 0 && `+${added}`, updated > 0 && `~${updated}`, removed > 0 && `-${removed}`]
    .filter((part) => part !== false)
    .join(' ');
}

/** What a run came to, beside its outcome: why it failed, what it left out, why it was made. */
export function formatRunRemarks({ error, quarantined, reason }: Run): string {
  return joined([
    error && plain(error.message),
    quarantined && quarantined.count > 0 ? `${counted(quarantined.count, 'row')} left out` : '',
    error === undefined ? reason : undefined,
  ]);
}
