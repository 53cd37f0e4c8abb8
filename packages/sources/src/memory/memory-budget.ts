import { onAbort, SynclineError } from '@syncline/contract';
import { MemoryAccount, type MemoryUse, type Reservation } from './memory-account.ts';

export interface MemoryBudgetOptions {
  readonly totalBytes: number;
  /** Milliseconds, monotonic. For tests. */
  readonly clock?: () => number;
}

const MIB = 1024 * 1024;
/** Runs with no more than this are never the eldest: they need no guarantee. */
const TINY_BYTES = MIB;
/** What the eldest run always leaves for the bodies of others. */
const LEFT_BYTES = 8 * MIB;
/** What a run can have beside the memory of a small run, at least. */
const LEAST_BODY_BYTES = 16 * MIB;
/** The least part of the common memory that only small runs may use. */
const SMALL_SHARE = 1 / 8;

const LOOK_EVERY_MS = 1_000;
/** If a run has waited this long for memory, a run whose upstream is slow gives way. */
const PATIENCE_MS = 5_000;
/** If a run has waited this long for memory, the run with the slowest upstream gives way, however fast it is. */
const LONGEST_WAIT_MS = 20_000;
/** A run must have waited this long for its upstream before it may be asked to give way. */
const RECEIVING_MS = 3_000;
/** While memory is short, an upstream that is slower than this is slow: bytes for each millisecond of waiting. */
const SLOW_BYTES_PER_MS = 256;

interface Waiter {
  readonly reservation: Reservation;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly grant: () => void;
}

/**
 * Divides memory between the runs of a process. A run reserves memory before it allocates it.
 *
 * - One run may have at most half of the memory, or a little more if there is little. A request for more fails at once.
 * - The eldest run may take any memory, and all others together at most what it leaves. So the eldest never waits for
 *   others: there is no deadlock, and every run becomes the eldest some day.
 * - A part of the memory of the others is for small runs only, so that they do not wait behind large ones.
 * - Otherwise, requests are granted in the order of their arrival, except those that do not fit yet.
 * - While runs wait for memory, the run with the slowest upstream gives way, with `source-too-slow`.
 */
export class MemoryBudget {
  readonly totalBytes: number;
  readonly clock: () => number;
  readonly #others = new Set<() => number>();
  readonly #open = new Set<MemoryAccount>();
  /** The runs with more than {@link TINY_BYTES}, or that have asked for more; eldest first. */
  readonly #large = new Set<MemoryAccount>();
  readonly #waiting = new Set<Waiter>();
  readonly #reserved: Record<MemoryUse, number> = { body: 0, ingest: 0, git: 0 };
  #usedBytes = 0;
  #smallBytes = MIB;
  #timer: NodeJS.Timeout | undefined;

  constructor({ totalBytes, clock }: MemoryBudgetOptions) {
    this.totalBytes = totalBytes;
    this.clock = clock ?? (() => performance.now());
  }

  /** Adds a function that returns bytes that no run has for now, such as those of idle threads. */
  addOthers(bytes: () => number): void {
    this.#others.add(bytes);
  }

  /** The most that one run may have. */
  get mostBytes(): number {
    const least = Math.min(this.#smallBytes + LEAST_BODY_BYTES, this.totalBytes - LEFT_BYTES);
    return Math.floor(Math.max(this.totalBytes / 2, least));
  }

  /** Sets what a small run needs. So much is kept for small runs. Default: 1 MiB. */
  keepForSmall(bytes: number): void {
    this.#smallBytes = bytes;
  }

  get smallBytes(): number {
    return this.#smallBytes;
  }

  /** Opens the account of a run. The caller must close it. */
  open(name: string): MemoryAccount {
    const account = new MemoryAccount(this, { name });
    this.#open.add(account);
    return account;
  }

  get reserved(): Readonly<Record<MemoryUse, number>> {
    return this.#reserved;
  }

  /** The runs that wait for memory. */
  get waits(): { readonly count: number; readonly longestMs: number } {
    return { count: this.#waiting.size, longestMs: this.#longestWaitMs() };
  }

  /** Returns the runs with the most memory, largest first. */
  largest(count: number): { readonly name: string; readonly bytes: number }[] {
    return [...this.#open]
      .filter(({ heldBytes }) => heldBytes > 0)
      .toSorted((a, b) => b.heldBytes - a.heldBytes)
      .slice(0, count)
      .map(({ name, heldBytes: bytes }) => ({ name, bytes }));
  }

  /** Returns how many runs have waited at least this long, for their upstream or for memory. */
  idleRuns(leastMs: number): number {
    let count = 0;
    for (const account of this.#open) if (account.idleMs >= leastMs) count += 1;
    return count;
  }

  /** Grants the requests that fit now. Call it when memory of others has become free. */
  wake(): void {
    const [eldest] = this.#large;
    // The eldest goes first: others could otherwise take what it waits for, again and again.
    const inOrder = [...this.#waiting].toSorted(
      (a, b) => Number(b.reservation.account === eldest) - Number(a.reservation.account === eldest),
    );
    for (const waiter of inOrder) {
      const { reservation, bytes } = waiter;
      if (!this.#fits(reservation.account, bytes)) continue;
      this.#waiting.delete(waiter);
      this.#add(reservation, bytes);
      waiter.grant();
    }
    if (this.#waiting.size === 0) this.#stopLooking();
  }

  /** @internal Adds bytes to a reservation, as soon as they fit. */
  async take(reservation: Reservation, bytes: number): Promise<void> {
    const { account, signal } = reservation;
    signal.throwIfAborted();
    account.signal.throwIfAborted();
    if (account.heldBytes + bytes > this.mostBytes) throw neverFits(account, bytes);
    if (account.heldBytes + bytes > TINY_BYTES) this.#large.add(account);
    if (this.#fits(account, bytes)) this.#add(reservation, bytes);
    else await this.#wait(reservation, bytes);
  }

  /** @internal */
  give(reservation: Reservation, bytes: number): void {
    this.#add(reservation, -bytes);
    const { account } = reservation;
    if (account.heldBytes <= TINY_BYTES) this.#large.delete(account);
    if (this.#waiting.size > 0) this.wake();
  }

  /** @internal */
  close(account: MemoryAccount): void {
    this.#open.delete(account);
    this.#large.delete(account);
    if (this.#waiting.size > 0) this.wake();
  }

  #fits(account: MemoryAccount, bytes: number): boolean {
    const [eldest] = this.#large;
    if (this.#usedBytes + this.othersBytes() + bytes > this.totalBytes) return false;
    if (account === eldest) return true;
    const common = this.totalBytes - this.mostBytes;
    const isSmall = account.heldBytes + bytes <= this.#smallBytes;
    const kept = isSmall ? 0 : Math.max(common * SMALL_SHARE, this.#smallBytes);
    return this.#usedBytes - (eldest?.heldBytes ?? 0) + bytes <= common - kept;
  }

  /** The bytes that no run has for now. */
  othersBytes(): number {
    let total = 0;
    for (const bytes of this.#others) total += bytes();
    return total;
  }

  #add(reservation: Reservation, bytes: number): void {
    this.#usedBytes += bytes;
    this.#reserved[reservation.use] += bytes;
    reservation.account.heldBytes += bytes;
    reservation.bytes += bytes;
  }

  async #wait(reservation: Reservation, bytes: number): Promise<void> {
    const { account } = reservation;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { reservation, bytes, sinceMs: this.clock(), grant: resolve };
    this.#waiting.add(waiter);
    const giveUpWith = (signal: AbortSignal) =>
      onAbort(signal, () => {
        this.#waiting.delete(waiter);
        reject(signal.reason);
      });
    using _signal = giveUpWith(reservation.signal);
    using _account = giveUpWith(account.signal);
    using _idle = account.waitsForMemory();
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    try {
      await promise;
    } finally {
      if (this.#waiting.size === 0) this.#stopLooking();
    }
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #longestWaitMs(): number {
    const [first] = this.#waiting;
    return first === undefined ? 0 : this.clock() - first.sinceMs;
  }

  /** Ends the run with the slowest upstream, if others have waited long enough for its memory. */
  #look(): void {
    const longestMs = this.#longestWaitMs();
    this.#tellWaiting();
    // Idle threads may have ended.
    this.wake();
    if (longestMs < PATIENCE_MS || this.#waiting.size === 0) return;
    const receiving = [...this.#open].filter(
      ({ heldBytes, receivingMs }) => heldBytes > 0 && receivingMs >= RECEIVING_MS,
    );
    const [slowest] = receiving.toSorted((a, b) => a.bytesPerMs - b.bytesPerMs);
    if (slowest === undefined) return;
    if (longestMs < LONGEST_WAIT_MS && slowest.bytesPerMs > SLOW_BYTES_PER_MS) return;
    slowest.end(tooSlow(slowest, this.#waiting.size));
  }

  #tellWaiting(): void {
    const [first] = this.largest(1);
    const most = first === undefined ? '' : `. ${first.name} has most of it: ${inMib(first.bytes)}`;
    for (const { reservation, sinceMs, bytes } of this.#waiting) {
      if (this.clock() - sinceMs < RECEIVING_MS) continue;
      reservation.account.onWait?.(`waiting for ${inMib(bytes)} of memory${most}`);
    }
  }
}

function inMib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

function neverFits({ name, heldBytes }: MemoryAccount, bytes: number): SynclineError {
  const what = `${name} needs ${inMib(heldBytes + bytes)} of memory, which is more than one run may use`;
  return new SynclineError('run-out-of-memory', what);
}

function tooSlow({ name, heldBytes }: MemoryAccount, waiting: number): SynclineError {
  const what = `the upstream of ${name} was too slow: its run had ${inMib(heldBytes)} of memory while ${waiting} others waited for memory`;
  return new SynclineError('source-too-slow', what);
}
