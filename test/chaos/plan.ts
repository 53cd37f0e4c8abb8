/** What is done to the system, and when: the same for the same seed. */

/** Each by the name that `--faults` knows it by. */
export const FAULTS = [
  'kill-worker',
  'kill-scheduler',
  'kill-api',
  'pause-worker',
  'stop-worker',
  'kill-redis',
  'empty-redis',
  'hang-redis',
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
  readonly registries: number;
  readonly workers: number;
  readonly schedulers: number;
  readonly apis: number;
  readonly faults: readonly PlannedFault[];
  /** Which registries are run so seldom that no tick makes good what is left undone. */
  readonly seldom: 'some' | 'all';
  /** How long it may take until all that was asked for is answered. */
  readonly settleMs: number;
  /** Takes out something that all rests on: the checker must see it. */
  readonly sabotage?: Sabotage;
}

export const DEFAULT_PLAN = {
  schedulers: 2,
  apis: 2,
  seldom: 'some',
  // A lease that ends, a sweep, a run, more than once, and what was asked for meanwhile.
  settleMs: 60_000,
} as const;

export const SABOTAGES = ['fence', 'lease', 'sweep'] as const;
export type Sabotage = (typeof SABOTAGES)[number];

/** The rule that is broken when workers do without something, and what brings it about soon. */
export const SABOTAGED = {
  fence: { rule: 'I2', plan: { faults: [{ atMs: 500, fault: 'pause-worker' }] } },
  lease: { rule: 'I1', plan: { faults: [] } },
  sweep: {
    rule: 'recovery',
    plan: { faults: [{ atMs: 500, fault: 'kill-worker' }], seldom: 'all', settleMs: 25_000 },
  },
} as const satisfies Record<Sabotage, { rule: string; plan: Partial<Plan> }>;

/** Long enough for what is sabotaged to be missed. */
export const SABOTAGED_DURATION_MS = 5_000;

/** Between one fault and the next. */
const LEAST_GAP_MS = 1_500;
const SPREAD_MS = 4_000;

/** Faults one after the other, in an order that the seed decides; each is as likely as any other. */
export function drawFaults(options: {
  seed: number;
  durationMs: number;
  faults: readonly FaultName[];
}): PlannedFault[] {
  const { seed, durationMs, faults } = options;
  const random = randomFrom(seed);
  const drawn: PlannedFault[] = [];
  let atMs = LEAST_GAP_MS;
  while (atMs < durationMs) {
    const fault = faults[Math.floor(random() * faults.length)];
    if (fault === undefined) break;
    drawn.push({ atMs: Math.round(atMs), fault });
    atMs += LEAST_GAP_MS + random() * SPREAD_MS;
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
