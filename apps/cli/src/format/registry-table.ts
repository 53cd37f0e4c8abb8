import type { RegistryView } from '@syncline/contract';
import { formatSince, formatUntil } from './age.ts';
import { formatPhase } from './phase.ts';
import { remarksOn } from './remarks.ts';
import { formatTable } from './table.ts';

const COLUMNS = [
  { head: 'REGISTRY' },
  { head: 'PHASE' },
  { head: 'SERVERS', align: 'right' },
  { head: 'VERSIONS', align: 'right' },
  { head: 'LAST SUCCESS' },
  { head: 'NEXT TRY' },
  { head: 'REASON' },
] as const;

/** One line a registry. Failing ones say when they are tried again; others follow their interval. */
export function formatRegistries(
  views: readonly RegistryView[],
  { nowMs, width }: { readonly nowMs: number; readonly width?: number },
): string {
  const rows = views.map((view) => {
    const { phase, serverCount, versionCount, lastSuccessAt, nextDueAt } = view.status;
    return [
      view.name,
      formatPhase(phase),
      String(serverCount),
      String(versionCount),
      formatSince(lastSuccessAt, nowMs),
      formatUntil(nextDueAt, nowMs),
      remarksOn(view),
    ];
  });
  return formatTable(COLUMNS, rows, width === undefined ? {} : { width });
}
