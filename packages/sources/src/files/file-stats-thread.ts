/** The thread of a {@link FileStats}: it may hang with its file system, and nothing else does. */
import { statSync } from 'node:fs';

/** What tells whether a file has changed, and what it lies on. */
export interface FileStamp {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly dev: number;
}

/** In the order asked; `undefined` where that failed. */
export default function statFiles(paths: readonly string[]): (FileStamp | undefined)[] {
  return paths.map((path) => {
    try {
      const { size, mtimeMs, ctimeMs, dev } = statSync(path);
      return { size, mtimeMs, ctimeMs, dev };
    } catch {
      return undefined;
    }
  });
}
