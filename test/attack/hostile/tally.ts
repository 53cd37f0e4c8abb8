import { z } from 'zod';

export const tallySchema = z.object({
  requests: z.int(),
  /** The number of answers by status, error code or error of the connection. */
  answers: z.record(z.string(), z.int()),
});

/** Counts what hostile clients get. */
export class Tally {
  requests = 0;
  readonly answers: Record<string, number> = {};

  count(answer: string | number): void {
    this.answers[answer] = (this.answers[answer] ?? 0) + 1;
  }
}
