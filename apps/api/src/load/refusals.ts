import type { ErrorCode } from '@syncline/contract';

/** The errors of clients that send many useless requests. A 404 is not one of them: some clients look for many names. */
const USELESS: ReadonlySet<ErrorCode> = new Set([
  'bad-request',
  'cross-origin-refused',
  'forbidden',
  'host-refused',
  'overloaded',
  'preview-failed',
  'read-disabled',
  'control-disabled',
  'too-many-attempts',
  'unauthorized',
]);
const FREE_PER_SECOND = 20;
const DELAY_MS = 1_000;

/**
 * Slows down clients whose requests are refused. To refuse a request costs little, but a flood of refusals would leave
 * no processor time for others.
 */
export class Refusals {
  readonly #counts = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /** Counts a refusal. Returns how long its answer must wait, in milliseconds. */
  delayMs(client: string, code: ErrorCode): number {
    if (!USELESS.has(code)) return 0;
    const count = 1 + (this.#counts.get(client) ?? 0);
    this.#counts.set(client, count);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#counts.clear();
    }, 1_000).unref();
    return count <= FREE_PER_SECOND ? 0 : DELAY_MS;
  }
}
