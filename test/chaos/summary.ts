import type { History } from './history/history.ts';
import { findRecoveries } from './history/recoveries.ts';

/** Figures of a history. They show that the faults had an effect, and how soon work continued. */
export interface Summary {
  readonly faults: Readonly<Record<string, number>>;
  /** The number of leases, including those that were released at once. */
  readonly leases: number;
  readonly publications: number;
  readonly requestsAcknowledged: number;
  readonly snapshotsRead: number;
  readonly statusesSeen: number;
  /** The number of refused writes and ends of runs that had lost their lease. */
  readonly zombieWritesRefused: number;
  readonly renewalsRefused: number;
  /** The number of leases that were taken after their holder had disappeared. */
  readonly takeovers: number;
  /**
   * The times from the kill of a worker to the next run of a registry that it was running, in
   * milliseconds.
   */
  readonly recoveriesMs: readonly number[];
  /** The times from the return of Redis to the next lease, in milliseconds. */
  readonly redisRecoveriesMs: readonly number[];
}

export function summarize(history: History): Summary {
  const faults = history.of('fault').map(({ fault, target }) => {
    const role = /^(worker|scheduler|api)-\d+$/.exec(target)?.[1];
    return role === undefined ? fault : `${fault}: ${role}`;
  });
  return {
    faults: Object.fromEntries(
      [...Map.groupBy(faults, (name) => name)].map(([name, all]) => [name, all.length]),
    ),
    leases: history.of('lease-acquired').length,
    publications: history.of('store-ended').filter((it) => it.publishes !== undefined).length,
    requestsAcknowledged: history.of('request-acknowledged').length,
    snapshotsRead: history.of('snapshot-read').length,
    statusesSeen: history.of('status-seen').length,
    zombieWritesRefused:
      history.of('ending-answered').filter(({ answer }) => answer === 'refused').length +
      history.of('write-answered').filter(({ accepted }) => !accepted).length,
    renewalsRefused: history.of('lease-refused').length,
    takeovers: countTakeovers(history),
    recoveriesMs: findRecoveries(history).flatMap(({ kill, next }) =>
      next === undefined ? [] : [next.atMs - kill.atMs],
    ),
    redisRecoveriesMs: history.of('redis-back').flatMap(({ atMs }) => {
      const next = history.of('lease-acquired').find((it) => it.calledAtMs > atMs);
      return next === undefined ? [] : [next.atMs - atMs];
    }),
  };
}

function countTakeovers({ events }: History): number {
  const open = new Set<string>();
  let takeovers = 0;
  for (const event of events) {
    if (event.kind === 'store-unknown') open.clear();
    if (event.kind === 'store-ended') open.delete(event.registry);
    if (event.kind !== 'store-acquired') continue;
    if (open.has(event.registry)) takeovers += 1;
    open.add(event.registry);
  }
  return takeovers;
}

/** Adds the figures of several runs. */
export function addSummaries(summaries: readonly Summary[]): Summary {
  const faults: Record<string, number> = {};
  for (const [name, count] of summaries.flatMap((it) => Object.entries(it.faults))) {
    faults[name] = (faults[name] ?? 0) + count;
  }
  const sum = (count: (summary: Summary) => number) =>
    summaries.reduce((total, summary) => total + count(summary), 0);
  return {
    faults,
    leases: sum((it) => it.leases),
    publications: sum((it) => it.publications),
    requestsAcknowledged: sum((it) => it.requestsAcknowledged),
    snapshotsRead: sum((it) => it.snapshotsRead),
    statusesSeen: sum((it) => it.statusesSeen),
    zombieWritesRefused: sum((it) => it.zombieWritesRefused),
    renewalsRefused: sum((it) => it.renewalsRefused),
    takeovers: sum((it) => it.takeovers),
    recoveriesMs: summaries.flatMap((it) => it.recoveriesMs),
    redisRecoveriesMs: summaries.flatMap((it) => it.redisRecoveriesMs),
  };
}

/** Formats the figures as text. */
export function formatSummary(summary: Summary): string {
  const { faults, recoveriesMs, redisRecoveriesMs, ...counts } = summary;
  const all = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const lines = [
    `faults: ${all}`,
    ...Object.entries(faults).map(([name, count]) => `  ${name}: ${count}`),
    ...Object.entries(counts).map(([name, count]) => `${name}: ${count}`),
    `from the kill of a worker to the next run of its registries: ${spread(recoveriesMs)}`,
    `from when Redis is back to the next run: ${spread(redisRecoveriesMs)}`,
  ];
  return lines.join('\n');
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) =>
    Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms, of ${values.length}`;
}
