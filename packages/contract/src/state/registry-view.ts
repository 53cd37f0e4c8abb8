import {
  describeSource,
  type RegistryConfig,
  type SourceKind,
  sourceKind,
  staleAfterMs,
} from '../config/registry.ts';
import { formatDuration } from '../duration.ts';
import { type Control, type Held, readStatus, type SyncStatus } from './status.ts';

/** A registry as `GET /v1/registries/{name}` and `syncline status --json` show it. */
export interface RegistryView {
  readonly name: string;
  readonly source: { readonly kind: SourceKind; readonly location: string };
  readonly schedule:
    | { readonly interval: string }
    | { readonly pattern: string; readonly timezone: string };
  readonly status: Omit<SyncStatus, 'snapshot' | 'held' | 'leaseUntil'>;
  readonly snapshot: string | null;
  readonly control: {
    readonly suspended: boolean;
    readonly suspendedBy: 'config' | 'control' | null;
    readonly note: string | null;
    readonly author: string | null;
    readonly suspendedAt: string | null;
    readonly pinned: string | null;
    readonly requested: number;
    readonly handled: number;
  };
  /** Whether no check has succeeded for as long as `staleAfter` says. */
  readonly stale: boolean;
  readonly held: Held | null;
}

/**
 * Joins what the config wants, what operators want and what the runs have left into one view.
 *
 * @param nowMs epoch milliseconds by Redis's clock
 */
export function registryView(
  registry: RegistryConfig,
  stored: { status: SyncStatus; control: Control },
  nowMs: number,
): RegistryView {
  const { snapshot, held, leaseUntil: _lease, ...status } = readStatus(stored.status, nowMs);
  const { control } = stored;
  const ageMs =
    status.lastSuccessAt === undefined
      ? Number.POSITIVE_INFINITY
      : nowMs - Date.parse(status.lastSuccessAt);
  return {
    name: registry.name,
    source: { kind: sourceKind(registry), location: describeSource(registry) },
    schedule: registry.schedule ?? { interval: formatDuration(registry.syncPolicy.interval) },
    status,
    snapshot: snapshot ?? null,
    control: {
      suspended: registry.suspended || control.suspended,
      suspendedBy: registry.suspended ? 'config' : control.suspended ? 'control' : null,
      note: control.note ?? null,
      author: control.author ?? null,
      suspendedAt: control.suspendedAt ?? null,
      pinned: control.pinned ?? null,
      requested: control.requested,
      handled: control.handled,
    },
    stale: ageMs > staleAfterMs(registry),
    held: held ?? null,
  };
}
