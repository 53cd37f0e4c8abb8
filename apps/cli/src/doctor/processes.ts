import { type ProcessWaits, type QueueHealth, readQueueHealth, readWaits } from '@syncline/redis';
import { formatAge } from '../format/age.ts';
import { counted, countedRegistries, listed } from '../format/text.ts';
import type { Store } from '../open-store.ts';
import { type Checks, problem, warning } from './finding.ts';

export interface ProcessFacts extends QueueHealth {
  /** The time of Redis's clock, in epoch milliseconds. */
  readonly nowMs: number;
  /** The names of all registries and catalogs in force. */
  readonly registries: readonly string[];
  readonly failing: readonly string[];
  /** The workers whose runs have waited long. */
  readonly waits: ReadonlyMap<string, ProcessWaits>;
}

/**
 * Each fleet of workers sweeps at least once within this time. A worker that pauses between two sweeps may
 * be missed.
 */
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
  return { ...health, nowMs, registries, failing, waits: await readWaits(store) };
}

/** How many registries a finding names. Ten still fit into a few lines. */
const NAMES_SHOWN = 10;
/** If a schedule or a job is this late, no worker takes jobs. */
const LATE_MS = 60_000;

const MIB = 1024 * 1024;
const NO_WAITS: ProcessWaits = {
  memory: { count: 0, longestMs: 0 },
  build: { count: 0, longestMs: 0 },
  holders: [],
};

/** Checks workers and schedulers by the data that they write to Redis. */
export const PROCESS_CHECKS: Checks<ProcessFacts> = {
  workers: ({ workers, sweeper }) => {
    if (workers !== undefined && workers > 0) return counted(workers, 'worker');
    if (workers === undefined && sweeper !== undefined) return `${sweeper} is running`;
    return problem({
      found: workers === undefined ? 'no worker is visible' : 'no worker is running',
      why: 'without a worker, Syncline cannot sync. It continues to serve the stored copies.',
      advice:
        'Run `syncline worker` or `syncline up`, and check its REDIS_URL and SYNCLINE_PREFIX.',
    });
  },

  scheduler: ({ scheduler }) => {
    if (scheduler !== undefined) return `${scheduler} is running`;
    return warning({
      found: 'no scheduler has been active for 90 s',
      why: 'existing schedules continue, but no process applies config changes or repairs lost schedules',
      advice:
        'Run `syncline scheduler` or `syncline up`. If the process does not start, read its log.',
    });
  },

  schedules: ({ nowMs, schedules, registries }) => {
    const missing = registries.filter((name) => !schedules.has(name));
    if (missing.length > 0) {
      return problem({
        found: `no schedule for ${listed(missing, NAMES_SHOWN)}`,
        why: 'if a registry has no schedule, Syncline syncs the registry only on request',
        advice:
          'Run `syncline scheduler` or `syncline up`. A scheduler repairs schedules every 30 s.',
      });
    }
    const late = registries.filter((name) => nowMs - (schedules.get(name) ?? nowMs) > LATE_MS);
    if (late.length === 0) return `all ${registries.length}`;
    return problem({
      found: `registries overdue by more than a minute: ${listed(late, NAMES_SHOWN)}`,
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
      why: 'workers sync registries later than scheduled',
      advice: 'Start more workers, or increase SYNCLINE_CONCURRENCY or SYNCLINE_HEAVY_RUNS.',
    });
  },

  memory: ({ waits }) => {
    const [[worker, { memory, build, holders }] = [undefined, NO_WAITS]] = waits;
    if (worker === undefined) return 'no run waits for memory';
    const longest = (what: string, { count, longestMs }: typeof memory) =>
      count === 0 ? [] : [`${counted(count, 'run')} for ${what}, ${formatAge(longestMs)}`];
    const found = [...longest('memory', memory), ...longest('a slot to build', build)].join('; ');
    const most = holders.map(({ name, bytes }) => `${name} (${Math.ceil(bytes / MIB)} MiB)`);
    return warning({
      found: `${worker} has waiting runs: ${found}`,
      why: `these registries are synced late. Most memory is used by ${listed(most)}`,
      advice:
        'Read the status of these registries: their upstreams may be slow, or very large. To give runs more memory, increase SYNCLINE_MEMORY or start more workers.',
    });
  },

  registries: ({ registries, failing }) => {
    const total = countedRegistries(registries.length);
    if (failing.length === 0) return `${total}, none failing`;
    return warning({
      found: `${failing.length} of ${total} failing: ${listed(failing, NAMES_SHOWN)}`,
      why: 'Syncline serves the copies of the last successful syncs',
      advice: 'Run `syncline status` to see why each registry fails and when the next try is due.',
    });
  },
};
