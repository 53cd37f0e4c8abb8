/** Looks at files as {@link statFiles} does, but hangs at a pipe until somebody writes to it. */
import { closeSync, openSync } from 'node:fs';
import statFiles, { type FileStamp } from '../files/file-stats-thread.ts';

export default function statOrHang(paths: readonly string[]): (FileStamp | undefined)[] {
  for (const path of paths) if (path.endsWith('pipe')) closeSync(openSync(path, 'r'));
  return statFiles(paths);
}
