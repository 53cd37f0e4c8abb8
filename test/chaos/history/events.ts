/**
 * What processes, and those who watch them, write down: one line of JSON an event, one file a process.
 * The checker joins the files; it believes none of them more than another.
 */
import { outcomeSchema, phaseSchema, triggerSchema } from '@syncline/contract';
import { z } from 'zod';

const ms = z.number();
const registry = z.string();
const term = z.string().regex(/^\d+$/);
const digest = z.string();
/** When the call was made whose answer this is. */
const calledAtMs = ms;
const run = { registry, term };

/** What a worker tried, and what it was answered. */
const ofWorkers = [
  z.object({
    kind: z.literal('lease-acquired'),
    ...run,
    owner: z.string(),
    calledAtMs,
    ttlMs: ms,
    requested: z.int(),
    handled: z.int(),
  }),
  z.object({ kind: z.literal('lease-renewed'), ...run, calledAtMs, ttlMs: ms }),
  /** A renewal was refused. */
  z.object({ kind: z.literal('lease-refused'), ...run }),
  /** Written down before it is asked for: what comes of it may never be heard. */
  z.object({
    kind: z.literal('ending-tried'),
    ...run,
    /** Of this try: its answer, if there is one, has the same. */
    calledAtMs,
    outcome: outcomeSchema.optional(),
    trigger: triggerSchema.optional(),
    phase: phaseSchema.optional(),
    handledRequest: z.int(),
    /** The manifest that the pointer is to name. */
    publishes: digest.optional(),
  }),
  z.object({
    kind: z.literal('ending-answered'),
    ...run,
    calledAtMs,
    answer: z.enum(['finished', 'refused', 'incomplete']),
  }),
  z.object({
    kind: z.literal('write-answered'),
    ...run,
    calledAtMs,
    what: z.enum(['chunks', 'manifest', 'garbage', 'status']),
    accepted: z.boolean(),
  }),
  z.object({ kind: z.literal('confirm-answered'), ...run, calledAtMs, accepted: z.boolean() }),
  z.object({ kind: z.literal('upstream-called'), ...run }),
] as const;

/** What the scripts did, in the order in which Redis did it. */
const ofRedis = [
  z.object({
    kind: z.literal('store-acquired'),
    ...run,
    owner: z.string(),
    redisMs: ms,
    leaseUntilMs: ms,
  }),
  z.object({
    kind: z.literal('store-renewed'),
    ...run,
    owner: z.string(),
    redisMs: ms,
    leaseUntilMs: ms,
  }),
  z.object({
    kind: z.literal('store-ended'),
    ...run,
    owner: z.string(),
    redisMs: ms,
    phase: phaseSchema.optional(),
    publishes: digest.optional(),
  }),
  /** Any other write under a token. */
  z.object({
    kind: z.literal('store-wrote'),
    ...run,
    owner: z.string(),
    redisMs: ms,
    what: z.string(),
  }),
  /** From here on nothing is known of what went before: nobody was watching. */
  z.object({ kind: z.literal('store-unknown'), why: z.string() }),
] as const;

/** What readers, pollers and requesters were told. */
const ofClients = [
  z.object({
    kind: z.literal('request-acknowledged'),
    registry,
    request: z.int(),
    calledAtMs,
  }),
  z.object({
    kind: z.literal('snapshot-read'),
    registry,
    calledAtMs,
    /** What was served from the beginning of the reading to its end; absent where it changed meanwhile. */
    digest: digest.optional(),
    /** What is wrong with it. */
    problem: z.string().optional(),
  }),
  z.object({
    kind: z.literal('status-seen'),
    registry,
    calledAtMs,
    phase: z.enum([...phaseSchema.options, 'absent']),
  }),
] as const;

/** What the harness did, and found. */
const ofHarness = [
  z.object({ kind: z.literal('config-applied'), registries: z.array(registry) }),
  z.object({ kind: z.literal('process-started'), name: z.string(), pid: z.int() }),
  z.object({
    kind: z.literal('process-ended'),
    name: z.string(),
    /** `out of order`: it was told to stop, and did not end as it should. */
    how: z.enum(['killed', 'stopped', 'out of order', 'by itself']),
  }),
  /** `untilMs`: when it was over; absent where it is done in a moment, as a kill is. */
  z.object({
    kind: z.literal('fault'),
    fault: z.string(),
    target: z.string(),
    untilMs: ms.optional(),
    /** Redis may have forgotten what it had acknowledged. */
    losesData: z.boolean().optional(),
    /** The process cannot do anything meanwhile. */
    stops: z.boolean().optional(),
  }),
  /** The registries that are ticked, when all has settled. */
  z.object({ kind: z.literal('schedules-seen'), registries: z.array(registry) }),
  /** Redis can be used again. */
  z.object({ kind: z.literal('redis-back') }),
  /** Of two servers that took writes, one has given up what it had taken: it is lost. */
  z.object({ kind: z.literal('redis-settled') }),
  z.object({ kind: z.literal('left-behind'), what: z.string(), name: z.string() }),
  /** From here on nobody asks, and nothing has to come any more. */
  z.object({ kind: z.literal('history-ended') }),
] as const;

const happenedSchema = z.discriminatedUnion('kind', [
  ...ofWorkers,
  ...ofRedis,
  ...ofClients,
  ...ofHarness,
]);
/** An event without when and where. */
export type Happened = z.infer<typeof happenedSchema>;

/**
 * `atMs`: by the machine's monotonic clock, which all of its processes share, whatever they think of the
 * time of day. `wallMs`: what the process thought of it.
 */
export const eventSchema = z.intersection(z.object({ atMs: ms, wallMs: ms }), happenedSchema);

/** An event, and the process that wrote it down. */
export type HistoryEvent = z.infer<typeof eventSchema> & { readonly process: string };
export type EventKind = HistoryEvent['kind'];
export type EventOf<Kind extends EventKind> = Extract<HistoryEvent, { kind: Kind }>;
