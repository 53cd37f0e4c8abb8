import { enableCompileCache } from 'node:module';

// Before anything else is loaded. Node goes without a cache if its directory is not writable.
enableCompileCache();
const [{ runProcess }, { startScheduler }] = await Promise.all([
  import('@syncline/runtime'),
  import('./start-scheduler.ts'),
]);
await runProcess('scheduler', (context) => startScheduler(context));
