import type { SynclineError } from '@syncline/contract';
import type { MemoryBudget } from './memory-budget.ts';

/** What a run needs memory for. */
export type MemoryUse = 'body' | 'ingest' | 'git';

export interface ReserveOptions {
  readonly use: MemoryUse;
  /** Ends a wait. */
  readonly signal: AbortSignal;
}

/** The memory of one run. */
export class MemoryAccount implements Disposable {
  readonly name: string;
  /** Called now and then while the run waits for memory. */
  onWait: ((cause: string) => void) | undefined;
  /** @internal Changed by the budget only. */
  heldBytes = 0;
  readonly #budget: MemoryBudget;
  readonly #ended = new AbortController();
  readonly #reservations = new Set<Reservation>();
  /** When the run began to wait for its upstream; it counts several requests at once as one wait. */
  #receivingSinceMs: number | undefined;
  #receiving = 0;
  #memorySinceMs: number | undefined;
  #receivedBytes = 0;
  #receivedMs = 0;

  constructor(budget: MemoryBudget, { name }: { name: string }) {
    this.#budget = budget;
    this.name = name;
  }

  /** Aborted if the run must give way to others. The reason is the error of the run. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * Reserves memory. Waits until there is enough.
   *
   * @throws SynclineError `run-out-of-memory` if so much never fits; `source-too-slow` if the run gives way; the
   *   signal's reason
   */
  async reserve(bytes: number, options: ReserveOptions): Promise<Reservation> {
    const reservation = new Reservation(this, options);
    await reservation.resize(bytes);
    return reservation;
  }

  /** Counts the time of `work` as waiting for the upstream. */
  async receive<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#receiving === 0) this.#receivingSinceMs = this.#budget.clock();
    this.#receiving += 1;
    try {
      return await work();
    } finally {
      this.#receivedMs += this.#receiving === 1 ? this.receivingMs : 0;
      this.#receiving -= 1;
      if (this.#receiving === 0) this.#receivingSinceMs = undefined;
    }
  }

  /** The most that the run may reserve. */
  get mostBytes(): number {
    return this.#budget.mostBytes;
  }

  /** The most that the run may reserve beside its thread. */
  get bytesBesideThread(): number {
    return this.#budget.mostBytes - this.#budget.smallBytes;
  }

  /** Counts bytes from the upstream. */
  received(bytes: number): void {
    this.#receivedBytes += bytes;
  }

  /** How long the run has waited for its upstream now; 0 while it waits for memory, or works. */
  get receivingMs(): number {
    if (this.#receivingSinceMs === undefined || this.#memorySinceMs !== undefined) return 0;
    return this.#budget.clock() - this.#receivingSinceMs;
  }

  /** How long the run has waited now, for its upstream or for memory. */
  get idleMs(): number {
    if (this.#memorySinceMs === undefined) return this.receivingMs;
    return this.#budget.clock() - this.#memorySinceMs;
  }

  /** How fast the upstream has been in this run. */
  get bytesPerMs(): number {
    return this.#receivedBytes / Math.max(1, this.#receivedMs + this.receivingMs);
  }

  /** @internal */
  waitsForMemory(): Disposable {
    const { clock } = this.#budget;
    const startedAtMs = clock();
    this.#memorySinceMs ??= startedAtMs;
    return {
      [Symbol.dispose]: () => {
        this.#memorySinceMs = undefined;
        // The wait for memory is not the upstream's fault.
        if (this.#receivingSinceMs !== undefined) this.#receivingSinceMs += clock() - startedAtMs;
      },
    };
  }

  /** Ends the run with an error, as soon as it waits for something. */
  end(error: SynclineError): void {
    this.#ended.abort(error);
  }

  /** @internal */
  async resize(reservation: Reservation, bytes: number): Promise<void> {
    const by = bytes - reservation.bytes;
    if (bytes > 0) this.#reservations.add(reservation);
    else this.#reservations.delete(reservation);
    if (by > 0) await this.#budget.take(reservation, by);
    else this.#budget.give(reservation, -by);
  }

  /** Releases everything, and ends what still waits. */
  [Symbol.dispose](): void {
    if (!this.#ended.signal.aborted) this.#ended.abort(new Error('the run has ended'));
    for (const reservation of this.#reservations) reservation[Symbol.dispose]();
    this.#budget.close(this);
  }
}

/** Memory of a run that is reserved for one thing. */
export class Reservation implements Disposable {
  /** @internal Changed by the budget only. */
  bytes = 0;
  readonly account: MemoryAccount;
  readonly use: MemoryUse;
  readonly signal: AbortSignal;

  constructor(account: MemoryAccount, { use, signal }: ReserveOptions) {
    this.account = account;
    this.use = use;
    this.signal = signal;
  }

  /** Changes the size. Only growing waits, and throws as {@link MemoryAccount.reserve} does. */
  async resize(bytes: number): Promise<void> {
    await this.account.resize(this, bytes);
  }

  /** Releases a part at once. Does nothing if the reservation is smaller. */
  shrink(bytes: number): void {
    if (bytes < this.bytes) void this.account.resize(this, bytes);
  }

  [Symbol.dispose](): void {
    this.shrink(0);
  }
}
