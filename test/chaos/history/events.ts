/**
 * The events that processes and their observers record: one line of JSON for each event, one file for each process.
 * The checker joins the files, and trusts all of them equally.
 */
import { outcomeSchema, phaseSchema, triggerSchema } from '@syncline/contract';
import { z } from 'zod';

const ms = z.number();
const registry = z.string();
const term = z.string().regex(/^\d+$/);
const digest = z.string();
/** When the call was made that this is the answer to. */
const calledAtMs = ms;
const run = { registry, term };

/** What a worker tried, and the answers. */
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
  /** Recorded before the call, because the answer may never come. */
  z.object({
    kind: z.literal('ending-tried'),
    ...run,
    /** Identifies this try: its answer, if there is one, has the same number. */
    calledAtMs,
    outcome: outcomeSchema.optional(),
    trigger: triggerSchema.optional(),
    phase: phaseSchema.optional(),
    handledRequest: z.int(),
    /** The manifest that the pointer should name. */
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

/** What the scripts did, in the order in which Redis ran them. */
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
  /** From here on, nothing is known of earlier events: nobody was watching. */
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
    /** The snapshot that was served during the whole reading; absent if it changed meanwhile. */
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
  /** `untilMs`: when it was over; absent for an instant fault, such as a kill. */
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
  /** The registries with a schedule, after everything has settled. */
  z.object({ kind: z.literal('schedules-seen'), registries: z.array(registry) }),
  /** Redis can be used again. */
  z.object({ kind: z.literal('redis-back') }),
  /** One of two servers that took writes has dropped its writes: they are lost. */
  z.object({ kind: z.literal('redis-settled') }),
  z.object({ kind: z.literal('left-behind'), what: z.string(), name: z.string() }),
  /** From here on, there are no requests, and nothing needs to follow. */
  z.object({ kind: z.literal('history-ended') }),
] as const;

const happenedSchema = z.discriminatedUnion('kind', [
  ...ofWorkers,
  ...ofRedis,
  ...ofClients,
  ...ofHarness,
]);
/** An event without time and process. */
export type Happened = z.infer<typeof happenedSchema>;

/**
 * `atMs`: by the machine's monotonic clock, which all of its processes share, whatever their time of day. `wallMs`:
 * the time of day of the process.
 */
export const eventSchema = z.intersection(z.object({ atMs: ms, wallMs: ms }), happenedSchema);

/** An event, and the process that recorded it. */
export type HistoryEvent = z.infer<typeof eventSchema> & { readonly process: string };
export type EventKind = HistoryEvent['kind'];
export type EventOf<Kind extends EventKind> = Extract<HistoryEvent, { kind: Kind }>;
