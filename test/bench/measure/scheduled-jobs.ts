import { QUEUE_NAME, redisKeys } from '@syncline/contract';

/** An event of a scheduled job, from the queue's own event stream. */
export interface ScheduledJobEvent {
  /** `active`, `completed` and so on. */
  readonly event: string;
  readonly jobId: string;
  /** By Redis's clock, epoch milliseconds. */
  readonly atMs: number;
  /** The scheduled time, epoch milliseconds. */
  readonly dueAtMs: number;
}

export function eventStream(prefix: string): string {
  return `${redisKeys(prefix).queuePrefix}:${QUEUE_NAME}:events`;
}

/** Parses an entry of the stream; `undefined` if it is about another kind of job. */
export function scheduledJobEvent(
  id: string,
  fields: readonly string[],
): ScheduledJobEvent | undefined {
  const jobId = fieldOf(fields, 'jobId') ?? '';
  // A scheduled job is named after its time.
  const [, dueAtMs] = /^repeat:.*:(\d+)$/.exec(jobId) ?? [];
  if (dueAtMs === undefined) return undefined;
  return {
    event: fieldOf(fields, 'event') ?? '',
    jobId,
    atMs: Number(id.split('-', 1)[0]),
    dueAtMs: Number(dueAtMs),
  };
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  const place = fields.findIndex((field, index) => index % 2 === 0 && field === name);
  return place < 0 ? undefined : fields[place + 1];
}
