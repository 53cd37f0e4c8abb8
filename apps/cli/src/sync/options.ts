/** The options of `syncline sync`. */
export interface SyncOptions {
  readonly all?: true;
  readonly force?: true;
  readonly wait?: true;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json?: true;
  readonly quiet?: true;
}
