/** The faults of a run and their times. The same seed gives the same plan. */

/** The names of the faults, as `--faults` accepts them. */
export const FAULTS = [
  'kill-worker',
  'kill-scheduler',
  'kill-api',
  'stop-worker',
  'replace-workers',
  'pause-worker',
  'block-loop',
  'skew-clock',
  'kill-redis',
  'empty-redis',
  'fail-over',
  'hang-redis',
  'fill-disk',
  'fill-memory',
  'lose-schedules',
  'cut-redis',
  'delay-redis',
  'halve-redis',
  'cut-upstream',
  'delay-upstream',
  'halve-upstream',
  'edit-config',
] as const;
export type FaultName = (typeof FAULTS)[number];

export interface PlannedFault {
  /** The time since the system was ready. */
  readonly atMs: number;
  readonly fault: FaultName;
}

export interface Plan {
  readonly seed: number;
  readonly durationMs: number;
  /** The number of registries with an interval of five seconds. */
  readonly registries: number;
  readonly workers: number;
  readonly schedulers: number;
  readonly apis: number;
  readonly faults: readonly PlannedFault[];
  /** The number of additional registries that seldom run. For these, no tick soon repairs a missed run. */
  readonly seldom: number;
  /**
   * The registries for which clients request syncs: `any` again and again, or `each` once. A request also makes a
   * registry run.
   */
  readonly requests: 'any' | 'each' | 'none';
  /** How often the upstream answers slowly: one answer in this many. */
  readonly slowEvery: number;
  /** How long the first syncs may take, before any fault. */
  readonly firstSyncsMs: number;
  /** How long it may take until all requests are handled. */
  readonly settleMs: number;
  /** A mechanism to remove. All promises depend on it, so the checker must find a violation. */
  readonly sabotage?: Sabotage;
}

export const DEFAULT_PLAN = {
  schedulers: 2,
  apis: 2,
  seldom: 5,
  requests: 'any',
  slowEvery: 4,
  // These limits only end a run that hangs.
  firstSyncsMs: 300_000,
  settleMs: 300_000,
} as const;

export const SABOTAGES = ['fence', 'lease', 'sweep', 'watchdog'] as const;
export type Sabotage = (typeof SABOTAGES)[number];

/**
 * For each removed mechanism: the rule that is then broken, and a plan whose faults show this soon. If a fault needs
 * a run in progress, the plan makes runs long.
 */
export const SABOTAGED = {
  fence: {
    rule: 'I2',
    plan: { durationMs: 5_000, faults: [{ atMs: 500, fault: 'pause-worker' }], slowEvery: 1 },
  },
  // Runs displace each other until they count as crashed and wait. So the system does not settle.
  lease: {
    rule: 'I1',
    plan: { durationMs: 5_000, faults: [], firstSyncsMs: 10_000, settleMs: 10_000 },
  },
  sweep: {
    rule: 'recovery',
    plan: {
      durationMs: 5_000,
      faults: [{ atMs: 500, fault: 'kill-worker' }],
      registries: 0,
      seldom: 20,
      // A repeated request would make the registry run without the sweep.
      requests: 'each',
      slowEvery: 1,
      settleMs: 25_000,
    },
  },
  watchdog: {
    rule: 'scheduled',
    plan: {
      durationMs: 2_000,
      faults: [{ atMs: 500, fault: 'lose-schedules' }],
      requests: 'none',
      // Longer than 30 s, the interval at which the scheduler checks schedules.
      settleMs: 40_000,
    },
  },
} as const satisfies Record<Sabotage, { rule: string; plan: Partial<Plan> }>;

/** The time between two faults. Redis must settle between its faults; otherwise they are one long outage. */
const GAPS = {
  others: { leastMs: 1_500, spreadMs: 4_000 },
  ofRedis: { leastMs: 18_000, spreadMs: 8_000 },
};
const OF_REDIS: ReadonlySet<FaultName> = new Set([
  'kill-redis',
  'empty-redis',
  'fail-over',
  'hang-redis',
  'fill-disk',
  'fill-memory',
]);

/** Draws faults in an order that the seed determines. No fault repeats before all others have occurred. */
export function drawFaults(options: {
  seed: number;
  durationMs: number;
  faults: readonly FaultName[];
}): PlannedFault[] {
  const { seed, durationMs, faults } = options;
  const random = randomFrom(seed);
  const ofRedis = faults.filter((fault) => OF_REDIS.has(fault));
  const others = faults.filter((fault) => !OF_REDIS.has(fault));
  return [
    ...drawSeries(others, { ...GAPS.others, durationMs, random }),
    ...drawSeries(ofRedis, { ...GAPS.ofRedis, durationMs, random }),
  ].sort((one, other) => one.atMs - other.atMs);
}

function drawSeries(
  faults: readonly FaultName[],
  options: { leastMs: number; spreadMs: number; durationMs: number; random: () => number },
): PlannedFault[] {
  const { leastMs, spreadMs, durationMs, random } = options;
  const drawn: PlannedFault[] = [];
  let rest: FaultName[] = [];
  for (let atMs = leastMs; atMs < durationMs; atMs += leastMs + random() * spreadMs) {
    if (rest.length === 0) rest = [...faults];
    const [fault] = rest.splice(Math.floor(random() * rest.length), 1);
    if (fault === undefined) break;
    drawn.push({ atMs: Math.round(atMs), fault });
  }
  return drawn;
}

/** Returns a generator of numbers in [0, 1), with the algorithm mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
