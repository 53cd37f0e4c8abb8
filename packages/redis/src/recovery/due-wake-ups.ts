import {
  type Config,
  type Control,
  fnv1a,
  type RegistryConfig,
  type SyncStatus,
  syncTargets,
} from '@syncline/contract';
import { filterHash, lastFiringMs, sourceHash } from '@syncline/sync';
import { addWakeUp, STARTS_PER_SECOND, type SyncQueue } from '../queue/queue.ts';
import type { RegistryReader } from '../stores/registry-reader.ts';

/** With fewer registries, all start at once. */
const SPREAD_FROM = 50;

export interface DueWakeUpOptions {
  readonly queue: SyncQueue;
  readonly reader: RegistryReader;
  readonly config: Config;
  /** The digest of the config. A new config gets new wake-ups. */
  readonly digest: string;
}

/**
 * Adds a wake-up for each registry that must not wait for its next tick. Such a registry was never synced or is
 * overdue, or the config has changed its source or filter.
 *
 * @returns the number of added wake-ups
 */
export async function addDueWakeUps(options: DueWakeUpOptions): Promise<number> {
  const { queue, reader, config, digest } = options;
  const targets = syncTargets(config);
  const stored = await reader.readMany(targets.map(({ name }) => name));
  let wakeUps = 0;
  for (const registry of targets) {
    const known = stored.registries.get(registry.name);
    const kind = known === undefined ? undefined : whyDue(registry, known, stored.nowMs);
    if (known === undefined || kind === undefined) continue;
    await addWakeUp(queue, {
      kind,
      registry: registry.name,
      since: `${known.status.term ?? 0}-${digest.slice(0, 12)}`,
      delayMs: spreadDelayMs(registry, targets.length),
    });
    wakeUps += 1;
  }
  return wakeUps;
}

function whyDue(
  registry: RegistryConfig,
  { status, control }: { status: SyncStatus; control: Control },
  nowMs: number,
): 'startup' | 'config' | undefined {
  if (registry.suspended || control.suspended || control.pinned !== undefined) return undefined;
  const isConfiguredAnew =
    status.snapshot !== undefined &&
    (status.sourceHash !== sourceHash(registry) || status.filterHash !== filterHash(registry));
  if (isConfiguredAnew) return 'config';
  if (Date.parse(status.nextDueAt ?? '') > nowMs) return undefined;
  return isOverdue(registry, status, nowMs) ? 'startup' : undefined;
}

/**
 * Returns whether the interval has passed since the last success. With a cron pattern: whether no check has succeeded
 * yet, or the pattern has fired since the last attempt.
 */
function isOverdue(
  { schedule, syncPolicy }: RegistryConfig,
  { lastAttemptAt, lastSuccessAt }: SyncStatus,
  nowMs: number,
): boolean {
  const succeededAtMs = Date.parse(lastSuccessAt ?? '');
  if (schedule === undefined) return !(nowMs - succeededAtMs < syncPolicy.interval);
  const triedAtMs = Date.parse(lastAttemptAt ?? '');
  return Number.isNaN(succeededAtMs) || !(triedAtMs >= lastFiringMs(schedule, nowMs));
}

function spreadDelayMs({ name, syncPolicy }: RegistryConfig, registryCount: number): number {
  if (registryCount < SPREAD_FROM) return 0;
  const spreadMs = Math.min(syncPolicy.interval, (registryCount / STARTS_PER_SECOND) * 1_000);
  return fnv1a(name) % Math.max(1, Math.round(spreadMs));
}
