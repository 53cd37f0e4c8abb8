// Syncs the registry at the URL in the argument, prints how many rows the copy has, and stops.
import { createCoordinator, createFileStatusPersistence } from '@syncline/sync/embed';

const endpoint = process.argv[2] ?? 'https://registry.modelcontextprotocol.io';

const coordinator = createCoordinator({
  config: {
    registries: [{ name: 'official', api: { endpoint }, syncPolicy: { interval: '1h' } }],
  },
  status: createFileStatusPersistence({ path: './data/status.json' }),
  dataDir: './data',
});

await coordinator.start();
try {
  let count = 0;
  for await (const { server } of coordinator.rows('official')) {
    count += 1;
    if (count <= 3) console.log(`${server.name}@${server.version}`);
  }
  const { phase } = await coordinator.getStatus('official');
  console.log(`${phase}: ${count} rows`);
} finally {
  await coordinator.stop();
}
