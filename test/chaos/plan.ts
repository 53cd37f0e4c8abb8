/** The faults of a run and their times: the same for the same seed. */

/** The names of the faults, as `--faults` takes them. */
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
  /** Since the system was ready. */
  readonly atMs: number;
  readonly fault: FaultName;
}

export interface Plan {
  readonly seed: number;
  readonly durationMs: number;
  /** Registries with an interval of five seconds. */
  readonly registries: number;
  readonly workers: number;
  readonly schedulers: number;
  readonly apis: number;
  readonly faults: readonly PlannedFault[];
  /** Besides: registries that seldom run, so that no tick repairs what was left undone. */
  readonly seldom: number;
  /** The registries that clients request: any again and again, or each once. A request is also a sign of life. */
  readonly requests: 'any' | 'each' | 'none';
  /** How often a slow answer of the upstream comes: one in this many. */
  readonly slowEvery: number;
  /** How long the first syncs may take, before any fault. */
  readonly firstSyncsMs: number;
  /** How long it may take until all requests are handled. */
  readonly settleMs: number;
  /** Removes a mechanism that everything rests on: the checker must find it. */
  readonly sabotage?: Sabotage;
}

export const DEFAULT_PLAN = {
  schedulers: 2,
  apis: 2,
  seldom: 5,
  requests: 'any',
  slowEvery: 4,
  // Guards against hanging only.
  firstSyncsMs: 300_000,
  settleMs: 300_000,
} as const;

export const SABOTAGES = ['fence', 'lease', 'sweep', 'watchdog'] as const;
export type Sabotage = (typeof SABOTAGES)[number];

/**
 * The rule that is broken when processes run without a mechanism, and the faults that show it soon. If a fault needs
 * a run, runs take long.
 */
export const SABOTAGED = {
  fence: {
    rule: 'I2',
    plan: { durationMs: 5_000, faults: [{ atMs: 500, fault: 'pause-worker' }], slowEvery: 1 },
  },
  // Runs displace each other until they count as crashed, and wait: nothing settles.
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
      // A request would run the registry without any sweep.
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
      // Schedules are checked every 30 s.
      settleMs: 40_000,
    },
  },
} as const satisfies Record<Sabotage, { rule: string; plan: Partial<Plan> }>;

/** The time between two faults. Redis has to settle between its faults, or all are one long outage. */
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

/** Yields faults in an order that the seed decides; none comes again before all others have. */
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

/** Numbers in [0, 1): mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
