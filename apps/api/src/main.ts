import { enableCompileCache } from 'node:module';

// Before anything else is loaded. Node goes without a cache if its directory is not writable.
enableCompileCache();
const [{ runProcess }, { startApi }] = await Promise.all([
  import('@syncline/runtime'),
  import('./start-api.ts'),
]);
await runProcess('api', startApi);
