/** Counts what hostile clients get. */
export class Tally {
  requests = 0;
  /** The number of answers by status, error code or error of the connection. */
  readonly answers: Record<string, number> = {};

  count(answer: string | number): void {
    this.answers[answer] = (this.answers[answer] ?? 0) + 1;
  }
}
