/**
 * Loaded into each process of a soak before its program (`node --import`): on SIGUSR2 it collects garbage, so that
 * later measurements show only memory in use.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

// Worker threads load it too.
if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('expected V8 to give its gc()');
  process.on('SIGUSR2', () => void collect());
}
