import '@syncline/runtime/compile-cache';

const [{ runProcess }, { startApi }] = await Promise.all([
  import('@syncline/runtime'),
  import('./start-api.ts'),
]);
await runProcess('api', startApi);
