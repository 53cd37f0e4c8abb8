import { type QueueHealth, readQueueHealth } from '@syncline/redis';
import { formatAge } from '../format/age.ts';
import { counted, countedRegistries, listed } from '../format/text.ts';
import type { Store } from '../open-store.ts';
import { type Checks, problem, warning } from './finding.ts';

export interface ProcessFacts extends QueueHealth {
  /** Redis's clock, epoch milliseconds. */
  readonly nowMs: number;
  /** The names of all registries and catalogs in force. */
  readonly registries: readonly string[];
  readonly failing: readonly string[];
}

/** Each fleet of workers sweeps once within this time. A worker that pauses between sweeps is not seen. */
const SWEEP_SEEN_WITHIN_MS = 1_000;

export async function observeProcesses(store: Store): Promise<ProcessFacts> {
  const { views, nowMs } = await store.view(store.config.targets());
  const untilMs = performance.now() + SWEEP_SEEN_WITHIN_MS;
  let health = await readQueueHealth(store);
  while (health.workers === undefined && health.sweeper === undefined) {
    if (performance.now() > untilMs) break;
    health = await readQueueHealth(store);
  }
  const registries = views.map(({ name }) => name);
  const failing = views.filter(({ status }) => status.phase === 'Failed').map(({ name }) => name);
  return { ...health, nowMs, registries, failing };
}

/** A schedule or a job that is this late is not taken by anyone. */
const LATE_MS = 60_000;

/** Checks workers and schedulers by what they leave in Redis. */
export const PROCESS_CHECKS: Checks<ProcessFacts> = {
  workers: ({ workers, sweeper }) => {
    if (workers !== undefined && workers > 0) return counted(workers, 'worker');
    if (workers === undefined && sweeper !== undefined) return `${sweeper} is at work`;
    return problem({
      found: workers === undefined ? 'none that could be seen' : 'none',
      why: 'without a worker nothing is synced; the last copies are still served',
      advice: 'Start syncline worker, or syncline up; check its REDIS_URL and SYNCLINE_PREFIX.',
    });
  },

  scheduler: ({ scheduler }) => {
    if (scheduler !== undefined) return `${scheduler} is at work`;
    return warning({
      found: 'none has been active for 90 s',
      why: 'existing schedules continue, but changes of the config wait and lost schedules stay lost',
      advice: 'Start syncline scheduler, or syncline up; if it does not start, read its log.',
    });
  },

  schedules: ({ nowMs, schedules, registries }) => {
    const missing = registries.filter((name) => !schedules.has(name));
    if (missing.length > 0) {
      return problem({
        found: `none for ${listed(missing)}`,
        why: 'a registry without a schedule is synced by requests only',
        advice: 'Start syncline scheduler, or syncline up: it repairs schedules every 30 s.',
      });
    }
    const late = registries.filter((name) => nowMs - (schedules.get(name) ?? nowMs) > LATE_MS);
    if (late.length === 0) return `all ${registries.length}`;
    return problem({
      found: `overdue for more than a minute: ${listed(late)}`,
      why: 'no worker has taken these ticks, so the registries are not synced',
      advice: 'Check that enough workers run, and that a scheduler runs.',
    });
  },

  queue: ({ nowMs, waiting, oldestDueAtMs }) => {
    const waitedMs = oldestDueAtMs === undefined ? 0 : nowMs - oldestDueAtMs;
    const found = `${counted(waiting, 'job')} waiting`;
    if (waitedMs <= LATE_MS) return found;
    return warning({
      found: `${found}, the next for ${formatAge(waitedMs)}`,
      why: 'registries are synced later than scheduled',
      advice: 'Start more workers, or raise SYNCLINE_CONCURRENCY or SYNCLINE_HEAVY_RUNS.',
    });
  },

  registries: ({ registries, failing }) => {
    const total = countedRegistries(registries.length);
    if (failing.length === 0) return `${total}, none failing`;
    return warning({
      found: `${failing.length} of ${total} failing: ${listed(failing)}`,
      why: 'their copies are served as they were at the last good sync',
      advice: 'Run syncline status to see why each fails, and when it is tried again.',
    });
  },
};
