/** A place among the requests that are under way at a host. */
export interface RequestPlace {
  /** Gives the place to others. It may be called more than once; never throws. */
  release(): void;
}

/** How much is asked of a host, by all that share the store. */
export interface RequestBudgets {
  /**
   * Waits until a request to the host may begin. A host without a budget costs nothing.
   *
   * @param options.signal ends the waiting, with its reason
   * @param options.holdMs the longest that the request may take: the place is free again after that, also
   *   where its holder has died
   * @throws SynclineError `source-rate-limited`, with `retryAfterMs`, where it would be waited for longer
   *   than {@link LONGEST_BUDGET_WAIT_MS}
   */
  take(host: string, options: { signal: AbortSignal; holdMs: number }): Promise<RequestPlace>;
}

export const LONGEST_BUDGET_WAIT_MS = 30_000;
