export interface GateLimits {
  /** How many requests may be worked on at once. */
  readonly slots: number;
  /** How many of them one client may have, so that a slot is free for another client soon. */
  readonly slotsPerClient: number;
  /** How many requests may wait for a slot. */
  readonly waiting: number;
  /** How long a request may wait. */
  readonly longestWaitMs: number;
}

/** Why a request was not admitted. `gone` means that its client disconnected. */
export type Refusal = 'overloaded' | 'gone';

/** Ends the work on an admitted request. Idempotent. */
export type Leave = () => void;

const MAX_FORMER_CLIENTS = 10_000;

interface Waiting {
  readonly settle: (result: Leave | Refusal) => void;
}

/**
 * Bounds the requests that are worked on and that wait. Takes a waiting request of the client that has had the least
 * time in slots, so a client with many or long requests delays mostly itself. If too many requests wait, refuses a
 * request of the client with most of them.
 */
export class FairGate {
  readonly #limits: GateLimits;
  readonly #activeOf = new Map<string, number>();
  /** The waiting requests of each client. Among equals, the first client is the next one. */
  readonly #queues = new Map<string, Waiting[]>();
  /** The time in slots of each client, in milliseconds. Clients that were away for long start with the least time. */
  readonly #servedMs = new Map<string, number>();
  #active = 0;
  #waiting = 0;
  #refused = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  usage(): { readonly active: number; readonly waiting: number; readonly refused: number } {
    return { active: this.#active, waiting: this.#waiting, refused: this.#refused };
  }

  /** Resolves when the request may be worked on, or is refused. @param gone aborted when the client disconnects */
  enter(client: string, gone: AbortSignal): Promise<Leave | Refusal> {
    if (gone.aborted) return Promise.resolve('gone');
    this.#return(client);
    // Requests of other clients wait only if all slots are taken, or if their clients have all their slots.
    if (this.#hasSlotFor(client)) return Promise.resolve(this.#admit(client));
    if (this.#waiting >= this.#limits.waiting && !this.#refuseNewestOfLargest(client)) {
      this.#refused += 1;
      return Promise.resolve('overloaded');
    }
    return this.#wait(client, gone);
  }

  #wait(client: string, gone: AbortSignal): Promise<Leave | Refusal> {
    const { promise, resolve } = Promise.withResolvers<Leave | Refusal>();
    const onGone = () => this.#remove(client, waiting, 'gone');
    const timer = setTimeout(
      () => this.#remove(client, waiting, 'overloaded'),
      this.#limits.longestWaitMs,
    );
    const waiting: Waiting = {
      settle: (result) => {
        clearTimeout(timer);
        gone.removeEventListener('abort', onGone);
        if (result === 'overloaded') this.#refused += 1;
        resolve(result);
      },
    };
    gone.addEventListener('abort', onGone);
    const queue = this.#queues.get(client);
    if (queue === undefined) this.#queues.set(client, [waiting]);
    else queue.push(waiting);
    this.#waiting += 1;
    return promise;
  }

  #hasSlotFor(client: string): boolean {
    const { slots, slotsPerClient } = this.#limits;
    return this.#active < slots && (this.#activeOf.get(client) ?? 0) < slotsPerClient;
  }

  #admit(client: string): Leave {
    this.#active += 1;
    this.#activeOf.set(client, (this.#activeOf.get(client) ?? 0) + 1);
    const startedAtMs = performance.now();
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      const servedMs = performance.now() - startedAtMs;
      this.#servedMs.set(client, (this.#servedMs.get(client) ?? 0) + servedMs);
      this.#active -= 1;
      const left = (this.#activeOf.get(client) ?? 1) - 1;
      if (left === 0) this.#activeOf.delete(client);
      else this.#activeOf.set(client, left);
      this.#admitNext();
    };
  }

  #admitNext(): void {
    let next: { client: string; queue: Waiting[]; servedMs: number } | undefined;
    for (const [client, queue] of this.#queues) {
      const servedMs = this.#servedMs.get(client) ?? 0;
      if (!this.#hasSlotFor(client) || servedMs >= (next?.servedMs ?? Infinity)) continue;
      next = { client, queue, servedMs };
    }
    if (next === undefined) return;
    const { client, queue } = next;
    const waiting = queue.shift();
    this.#queues.delete(client);
    // Among clients with equal times, this one now comes last.
    if (queue.length > 0) this.#queues.set(client, queue);
    this.#waiting -= 1;
    waiting?.settle(this.#admit(client));
  }

  /** Notes that a client is there again. A client must not save up time while it is away. */
  #return(client: string): void {
    if (this.#activeOf.has(client) || this.#queues.has(client)) return;
    let leastMs = Infinity;
    for (const present of [...this.#activeOf.keys(), ...this.#queues.keys()]) {
      leastMs = Math.min(leastMs, this.#servedMs.get(present) ?? 0);
    }
    // Without other clients, or with too many former ones, all start anew.
    if (leastMs === Infinity || this.#servedMs.size > MAX_FORMER_CLIENTS) this.#servedMs.clear();
    else this.#servedMs.set(client, Math.max(leastMs, this.#servedMs.get(client) ?? 0));
  }

  #remove(client: string, waiting: Waiting, refusal: Refusal): void {
    const queue = this.#queues.get(client) ?? [];
    const index = queue.indexOf(waiting);
    if (index < 0) return;
    queue.splice(index, 1);
    if (queue.length === 0) this.#queues.delete(client);
    this.#waiting -= 1;
    waiting.settle(refusal);
  }

  /** Makes room for a request of `client`. @returns false if no other client has more waiting requests */
  #refuseNewestOfLargest(client: string): boolean {
    let largest = { client, length: (this.#queues.get(client)?.length ?? 0) + 1 };
    for (const [other, { length }] of this.#queues) {
      if (length > largest.length) largest = { client: other, length };
    }
    const newest = this.#queues.get(largest.client)?.at(-1);
    if (largest.client === client || newest === undefined) return false;
    this.#remove(largest.client, newest, 'overloaded');
    return true;
  }
}
