import type { JobPayloadInput } from '@syncline/contract';
import { type Job, type JobJson, Worker } from 'bullmq';

/** What can be seen of a worker from outside, to tell whether it still does its work. */
export interface Pulse {
  /** Grows whenever Redis has told the worker what is next, be it nothing: at rest, every ten seconds. */
  readonly turns: number;
  /** Whether it does as much at once as it may. It does not ask for more then. */
  readonly isFull: boolean;
}

/**
 * A BullMQ worker that counts the turns of its loop, since a connection that is open does not say that it turns;
 * and that does each job that it has taken. BullMQ's own lets go of the job of a schedule whose next job it could
 * not make, as on a Redis that is full, and nobody has it until its lock has ended.
 */
export class TurningWorker extends Worker<JobPayloadInput, string, string> {
  #turns = 0;

  get turns(): number {
    return this.#turns;
  }

  /** Every way to a job, and every answer that there is none, leads through here. */
  protected override async nextJobFromJobData(
    data?: JobJson,
    id?: string,
    token?: string,
  ): Promise<Job<JobPayloadInput, string, string>> {
    const job = await super.nextJobFromJobData(data, id, token);
    this.#turns += 1;
    if (job !== undefined || data === undefined || data === null || id === undefined) return job;
    const taken = this.createJob(data, id);
    if (token !== undefined) taken.token = token;
    return taken;
  }
}
