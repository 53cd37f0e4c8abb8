import {
  describeSource,
  type RegistryConfig,
  sourceKind,
  staleAfterMs,
} from '../config/registry.ts';
import { formatDuration } from '../duration.ts';
import { type Control, readStatus, type SyncStatus } from './status.ts';

/** A registry as `GET /v1/registries/{name}` and `syncline status --json` show it. */
export type RegistryView = ReturnType<typeof registryView>;

/**
 * Combines the config, the control hash and the status into one view.
 *
 * @param nowMs epoch milliseconds by Redis's clock
 */
export function registryView(
  registry: RegistryConfig,
  stored: { status: SyncStatus; control: Control },
  nowMs: number,
) {
  const { snapshot, held, leaseUntil: _lease, ...status } = readStatus(stored.status, nowMs);
  const { control } = stored;
  const suspendedByOperator = control.suspended ? ('control' as const) : null;
  return {
    name: registry.name,
    source: { kind: sourceKind(registry), location: describeSource(registry) },
    schedule: registry.schedule ?? { interval: formatDuration(registry.syncPolicy.interval) },
    status,
    snapshot: snapshot ?? null,
    control: {
      suspended: registry.suspended || control.suspended,
      suspendedBy: registry.suspended ? ('config' as const) : suspendedByOperator,
      note: control.note ?? null,
      author: control.author ?? null,
      suspendedAt: control.suspendedAt ?? null,
      pinned: control.pinned ?? null,
      requested: control.requested,
      handled: control.handled,
    },
    /** Whether the last successful check is older than `staleAfter`, or missing. */
    stale: !(nowMs - Date.parse(status.lastSuccessAt ?? '') <= staleAfterMs(registry)),
    held: held ?? null,
  };
}
