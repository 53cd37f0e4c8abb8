import '@syncline/runtime/compile-cache';

const [{ runProcess }, { startWorker }] = await Promise.all([
  import('@syncline/runtime'),
  import('./start-worker.ts'),
]);
await runProcess('worker', startWorker);
