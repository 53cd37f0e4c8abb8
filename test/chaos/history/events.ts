/**
 * The events that processes and their observers record. Each process has one file, with one line of JSON per event.
 * The checker joins the files, and trusts all of them equally.
 */
import { outcomeSchema, phaseSchema, triggerSchema } from '@syncline/contract';
import { z } from 'zod';

const ms = z.number();
const registry = z.string();
const term = z.string().regex(/^\d+$/);
const digest = z.string();
/** The time of the call to which this event is the answer. */
const calledAtMs = ms;
const run = { registry, term };

/** The calls of workers, and the answers. */
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
  /** Redis refused a renewal. */
  z.object({ kind: z.literal('lease-refused'), ...run }),
  /** Recorded before the call, because the answer may never come. */
  z.object({
    kind: z.literal('ending-tried'),
    ...run,
    /** Identifies this try. The answer has the same number, if it comes. */
    calledAtMs,
    outcome: outcomeSchema.optional(),
    trigger: triggerSchema.optional(),
    phase: phaseSchema.optional(),
    handledRequest: z.int(),
    /** The manifest to which the pointer should be set. */
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

/** The effects of the scripts, in the order in which Redis ran them. */
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
  /** Any other write with a token. */
  z.object({
    kind: z.literal('store-wrote'),
    ...run,
    owner: z.string(),
    redisMs: ms,
    what: z.string(),
  }),
  /** From here on, the earlier state is unknown, because the witness was not watching. */
  z.object({ kind: z.literal('store-unknown'), why: z.string() }),
] as const;

/** The answers that readers, pollers and requesters received. */
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
    /** The snapshot that was served during the whole read. Absent if the snapshot changed during the read. */
    digest: digest.optional(),
    /** The problem of the snapshot, if it has one. */
    problem: z.string().optional(),
  }),
  z.object({
    kind: z.literal('status-seen'),
    registry,
    calledAtMs,
    phase: z.enum([...phaseSchema.options, 'absent']),
  }),
] as const;

/** The actions and the findings of the harness. */
const ofHarness = [
  z.object({ kind: z.literal('config-applied'), registries: z.array(registry) }),
  z.object({ kind: z.literal('process-started'), name: z.string(), pid: z.int() }),
  z.object({
    kind: z.literal('process-ended'),
    name: z.string(),
    /** `out of order`: the process was told to stop, and did not end as it should. */
    how: z.enum(['killed', 'stopped', 'out of order', 'by itself']),
  }),
  /** A fault. `untilMs` is the time of its end; absent for an instant fault, such as a kill. */
  z.object({
    kind: z.literal('fault'),
    fault: z.string(),
    target: z.string(),
    untilMs: ms.optional(),
    /** Whether Redis may have forgotten acknowledged writes. */
    losesData: z.boolean().optional(),
    /** Whether the fault stops the process completely. */
    stops: z.boolean().optional(),
  }),
  /** The registries with a schedule, after the system has settled. */
  z.object({ kind: z.literal('schedules-seen'), registries: z.array(registry) }),
  /** Redis is available again. */
  z.object({ kind: z.literal('redis-back') }),
  /** After two servers accepted writes, one of them has dropped its writes. These writes are lost. */
  z.object({ kind: z.literal('redis-settled') }),
  z.object({ kind: z.literal('left-behind'), what: z.string(), name: z.string() }),
  /** From here on, clients send no requests, and the rules expect no more runs. */
  z.object({ kind: z.literal('history-ended') }),
] as const;

const happenedSchema = z.discriminatedUnion('kind', [
  ...ofWorkers,
  ...ofRedis,
  ...ofClients,
  ...ofHarness,
]);
/** The data of an event, without its time and its process. */
export type Happened = z.infer<typeof happenedSchema>;

/**
 * An event with its times. `atMs` is the time of the machine's monotonic clock, which all processes share. `wallMs`
 * is the time of day in the process, which a fault may have changed.
 */
export const eventSchema = z.intersection(z.object({ atMs: ms, wallMs: ms }), happenedSchema);

/** An event, and the name of the process that recorded it. */
export type HistoryEvent = z.infer<typeof eventSchema> & { readonly process: string };
export type EventKind = HistoryEvent['kind'];
export type EventOf<Kind extends EventKind> = Extract<HistoryEvent, { kind: Kind }>;
