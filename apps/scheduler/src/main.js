// `main.ts` is a link to this file, for the sake of the compile cache.
import '@syncline/runtime/compile-cache';

const [{ runProcess }, { startScheduler }] = await Promise.all([
  import('@syncline/runtime'),
  import('./start-scheduler.ts'),
]);
await runProcess('scheduler', (context) => startScheduler(context));
