// `main.ts` is a link to this file, for the sake of the compile cache.
import '@syncline/runtime/compile-cache';

const [{ runProcess }, { startWorker }] = await Promise.all([
  import('@syncline/runtime'),
  import('./start-worker.ts'),
]);
await runProcess('worker', startWorker);
