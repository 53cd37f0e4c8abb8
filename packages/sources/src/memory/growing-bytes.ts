import type { MemoryAccount, Reservation } from './memory-account.ts';

const FIRST_SEGMENT_BYTES = 16 * 1024;
const MAX_SEGMENT_BYTES = 1024 * 1024;

interface Segment {
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled: number;
}

/** Bytes, with the memory that is reserved for them. */
export interface OwnedBytes extends Disposable {
  /** The only bytes of their buffer, so that the buffer can be transferred to a thread. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Collects bytes in segments, and reserves memory before it allocates a segment. It copies the chunks: a chunk of one
 * byte would keep the whole buffer of its socket.
 */
export class GrowingBytes implements Disposable {
  readonly #reservation: Reservation;
  readonly #segments: Segment[] = [];
  #size = 0;

  private constructor(reservation: Reservation) {
    this.#reservation = reservation;
  }

  static async open(memory: MemoryAccount, signal: AbortSignal): Promise<GrowingBytes> {
    return new GrowingBytes(await memory.reserve(0, { use: 'body', signal }));
  }

  get size(): number {
    return this.#size;
  }

  /** Appends a copy of the chunk. Returns a promise only if the bytes need another segment. */
  append(chunk: Uint8Array): Promise<void> | undefined {
    const last = this.#segments.at(-1);
    const room = last === undefined ? 0 : last.bytes.length - last.filled;
    if (last !== undefined) this.#fill(last, chunk.subarray(0, room));
    return chunk.length <= room ? undefined : this.#appendSegment(chunk.subarray(room));
  }

  async #appendSegment(rest: Uint8Array): Promise<void> {
    const grown = Math.min(Math.max(this.#size, FIRST_SEGMENT_BYTES), MAX_SEGMENT_BYTES);
    const length = Math.max(grown, rest.length);
    await this.#reservation.resize(this.#reservation.bytes + length);
    const segment = { bytes: new Uint8Array(length), filled: 0 };
    this.#segments.push(segment);
    this.#fill(segment, rest);
  }

  #fill(segment: Segment, part: Uint8Array): void {
    segment.bytes.set(part, segment.filled);
    segment.filled += part.length;
    this.#size += part.length;
  }

  /**
   * Returns all bytes in one buffer. Frees each segment as soon as it is copied, so that the bytes are never there
   * twice. The owner of the bytes releases the memory.
   */
  finish(): OwnedBytes {
    const reservation = this.#reservation;
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for (const { bytes: part, filled } of this.#segments.splice(0)) {
      bytes.set(part.subarray(0, filled), at);
      at += filled;
      // Without this, the memory would be free only after the next collection of garbage.
      part.buffer.transfer(0);
    }
    reservation.shrink(this.#size);
    return { bytes, [Symbol.dispose]: () => reservation[Symbol.dispose]() };
  }

  /** Discards the bytes, and releases their memory. */
  [Symbol.dispose](): void {
    for (const { bytes } of this.#segments.splice(0)) bytes.buffer.transfer(0);
    this.#size = 0;
    this.#reservation[Symbol.dispose]();
  }
}
