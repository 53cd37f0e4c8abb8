import { Piscina } from 'piscina';
import type { FileStamp } from './file-stats-thread.ts';

const IDLE_TIMEOUT_MS = 60_000;
const HEAP_MB = 16;

interface Waiting {
  readonly path: string;
  readonly answer: (stamp: FileStamp | undefined) => void;
}

/**
 * A thread that looks at the files of one file system, at all together that wait for it. It begins when it is
 * needed, and ends when it no longer is.
 */
export class FileStats {
  readonly #thread: Piscina<readonly string[], (FileStamp | undefined)[]>;
  #waiting: Waiting[] = [];
  #isAsking = false;

  constructor(filename: string) {
    this.#thread = new Piscina({
      filename,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: IDLE_TIMEOUT_MS,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
  }

  /**
   * Looks at a file. Waits for ever where its file system does not answer.
   *
   * @returns `undefined` where that failed: who wants to know why looks for itself
   */
  stat(path: string): Promise<FileStamp | undefined> {
    return new Promise((answer) => {
      this.#waiting.push({ path, answer });
      if (!this.#isAsking) void this.#askAll();
    });
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    while (this.#waiting.length > 0) {
      const asked = this.#waiting;
      this.#waiting = [];
      const paths = asked.map(({ path }) => path);
      // A thread that fails costs time, and nothing else: all are looked at by those who asked.
      const stamps = await this.#thread.run(paths).catch(() => []);
      for (const [index, { answer }] of asked.entries()) answer(stamps[index]);
    }
    this.#isAsking = false;
  }
}
