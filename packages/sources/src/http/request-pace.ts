import type { Socket } from 'node:net';
import { SynclineError } from '@syncline/contract';
import { place } from './place.ts';

/** The least rate of a body, averaged over the whole body. */
const LEAST_BYTES_PER_SECOND = 4 * 1024;
/** A body need not reach the least rate before this time. */
const GRACE_MS = 10_000;
const CHECK_EVERY_MS = 1_000;
/**
 * A connection may carry this many times the bytes of the body: headers, and the frames of chunks. A body in chunks of
 * one byte needs six times as much. An attacker can put endless extensions into the frames.
 */
const MAX_WIRE_RATIO = 16;
const WIRE_RATIO_COUNTS_FROM_BYTES = 1024 * 1024;

export interface RequestPaceOptions {
  readonly url: URL;
  readonly timeoutMs: number;
}

/**
 * Ends a request whose upstream is too slow: that exceeds the timeout, or that sends a body below the least rate. The
 * time during which this process waits for memory does not count.
 */
export class RequestPace implements Disposable {
  readonly #url: URL;
  readonly #timeoutMs: number;
  readonly #ended = new AbortController();
  #timer: NodeJS.Timeout;
  #deadlineMs: number;
  #check: NodeJS.Timeout | undefined;
  /** The checks of the body so far. They count the time: while this process is frozen or starved, there are none. */
  #checks = 0;
  #bytes = 0;
  #socket: { readonly socket: Socket; readonly bytesBefore: number } | undefined;
  #isPaused = false;

  constructor({ url, timeoutMs }: RequestPaceOptions) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#deadlineMs = performance.now() + timeoutMs;
    this.#timer = setTimeout(() => this.#onTimer(), timeoutMs);
  }

  /** Aborted if the upstream is too slow. The reason is a SynclineError. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Begins to count the bytes of the connection. */
  startSocket(socket: Socket): void {
    this.#socket = { socket, bytesBefore: socket.bytesRead };
  }

  startBody(): void {
    this.#check = setInterval(() => this.#checkBody(), CHECK_EVERY_MS);
  }

  /** Counts bytes of the body as they are on the wire. @throws SynclineError `source-too-large` */
  took(bytes: number): void {
    this.#bytes += bytes;
    const wireBytes = this.#wireBytes();
    if (wireBytes > WIRE_RATIO_COUNTS_FROM_BYTES + MAX_WIRE_RATIO * this.#bytes) {
      const what = `${place(this.#url)} sent ${wireBytes} bytes for a body of ${this.#bytes} bytes: its chunks have too many headers`;
      throw new SynclineError('source-too-large', what);
    }
  }

  /** Waits for `work`, without counting the time. */
  async pause(work: Promise<void>): Promise<void> {
    const startedAtMs = performance.now();
    this.#isPaused = true;
    try {
      await work;
    } finally {
      this.#isPaused = false;
      this.#deadlineMs += performance.now() - startedAtMs;
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearInterval(this.#check);
  }

  #onTimer(): void {
    const leftMs = this.#isPaused ? this.#timeoutMs : this.#deadlineMs - performance.now();
    // A timer may fire up to a millisecond early.
    if (leftMs > 1) {
      this.#timer = setTimeout(() => this.#onTimer(), leftMs);
      return;
    }
    const what = `${place(this.#url)} did not answer within ${this.#timeoutMs} ms`;
    this.#ended.abort(new SynclineError('source-timeout', what));
  }

  #wireBytes(): number {
    if (this.#socket === undefined) return 0;
    return this.#socket.socket.bytesRead - this.#socket.bytesBefore;
  }

  #checkBody(): void {
    if (this.#isPaused) return;
    try {
      this.took(0);
    } catch (error) {
      this.#ended.abort(error);
    }
    this.#checks += 1;
    const ms = this.#checks * CHECK_EVERY_MS;
    if (ms < GRACE_MS || this.#bytes >= (LEAST_BYTES_PER_SECOND * ms) / 1_000) return;
    const what = `${place(this.#url)} sent ${this.#bytes} bytes in ${ms / 1_000} s. The least rate is ${LEAST_BYTES_PER_SECOND} bytes a second`;
    this.#ended.abort(new SynclineError('source-too-slow', what));
  }
}
