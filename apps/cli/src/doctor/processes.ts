import type { QueueHealth } from '@syncline/redis';
import { formatAge } from '../format/age.ts';
import { counted } from '../format/text.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

export interface ProcessFacts {
  /** Redis's clock, epoch milliseconds. */
  readonly nowMs: number;
  readonly queue: QueueHealth;
  /** The names that the config in force has. */
  readonly registries: readonly string[];
  /** Those among them that fail. */
  readonly failing: readonly string[];
}

/** A schedule that is this late is fired by nobody. */
const LATE_MS = 60_000;
const NAMES_SHOWN = 3;

/** What can be seen in Redis of workers and schedulers. */
export function checkProcesses(facts: ProcessFacts): Finding[] {
  return [
    checkWorkers(facts),
    checkScheduler(facts),
    checkSchedules(facts),
    checkQueue(facts),
    checkRegistries(facts),
  ];
}

function checkWorkers({ queue: { workers, sweeper } }: ProcessFacts): Finding {
  const check = 'workers';
  const why = 'without one nothing is synced; what is there is served as it is';
  if (workers !== undefined && workers > 0) return ok(check, counted(workers, 'worker'));
  if (workers === undefined && sweeper !== undefined) return ok(check, `${sweeper} is at work`);
  return problem(check, {
    found: workers === undefined ? 'none that could be seen' : 'none',
    why,
    advice: 'start syncline worker, or syncline up; check its REDIS_URL and SYNCLINE_PREFIX',
  });
}

function checkScheduler({ queue: { scheduler } }: ProcessFacts): Finding {
  const check = 'scheduler';
  if (scheduler !== undefined) return ok(check, `${scheduler} is at work`);
  return warning(check, {
    found: 'none has been active for 90 s',
    why: 'existing schedules continue, but changes of the config wait and lost schedules stay lost',
    advice: 'start syncline scheduler, or syncline up; if it does not start, read its log',
  });
}

function checkSchedules({ nowMs, queue, registries }: ProcessFacts): Finding {
  const check = 'schedules';
  const missing = registries.filter((name) => !queue.schedules.has(name));
  if (missing.length > 0) {
    return problem(check, {
      found: `none for ${listed(missing)}`,
      why: 'a registry without a schedule is synced by requests only',
      advice: 'start syncline scheduler, or syncline up: it repairs schedules every 30 s',
    });
  }
  const late = registries.filter((name) => nowMs - (queue.schedules.get(name) ?? nowMs) > LATE_MS);
  if (late.length > 0) {
    return problem(check, {
      found: `overdue for more than a minute: ${listed(late)}`,
      why: 'no worker has taken these ticks, so the registries are not synced',
      advice: 'check that enough workers run, and that a scheduler runs',
    });
  }
  return ok(check, `all ${registries.length}`);
}

function checkQueue({ nowMs, queue: { waiting, oldestDueAtMs } }: ProcessFacts): Finding {
  const check = 'queue';
  const waitedMs = oldestDueAtMs === undefined ? 0 : nowMs - oldestDueAtMs;
  const found = `${counted(waiting, 'job')} waiting`;
  if (waitedMs <= LATE_MS) return ok(check, found);
  return warning(check, {
    found: `${found}, the next for ${formatAge(waitedMs)}`,
    why: 'registries are synced later than scheduled',
    advice: 'start more workers, or raise SYNCLINE_CONCURRENCY or SYNCLINE_HEAVY_RUNS',
  });
}

function checkRegistries({ registries, failing }: ProcessFacts): Finding {
  const check = 'registries';
  const total = counted(registries.length, 'registry', 'registries');
  if (failing.length === 0) return ok(check, `${total}, none failing`);
  return warning(check, {
    found: `${failing.length} of ${total} failing: ${listed(failing)}`,
    why: 'their copies are served as they were at the last good sync',
    advice: 'syncline status says why each fails, and when it is tried again',
  });
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
