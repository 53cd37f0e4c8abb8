// Requests a sync of the registry given as the argument, and waits for the run.
import { createSynclineClient } from '@syncline/client';

const registry = process.argv[2] ?? 'examples';
const client = createSynclineClient({
  redis: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  prefix: process.env.SYNCLINE_PREFIX ?? 'syncline',
});

try {
  const { request, state } = await client.requestSync(registry);
  console.log(`request ${request}: ${state}`);

  const run = await client.waitForRun(registry, request, { timeoutMs: 60_000 });
  console.log(`run: ${run?.outcome ?? 'none has finished yet'}`);

  const { phase, serverCount } = await client.getStatus(registry);
  console.log(`status: ${phase}, ${serverCount} servers`);
} finally {
  await client.close();
}
