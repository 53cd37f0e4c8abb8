import '@syncline/runtime/compile-cache';

const [{ runProcess }, { startScheduler }] = await Promise.all([
  import('@syncline/runtime'),
  import('./start-scheduler.ts'),
]);
await runProcess('scheduler', (context) => startScheduler(context));
