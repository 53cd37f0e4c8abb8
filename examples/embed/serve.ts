// Syncs a registry every hour and serves the copy as an MCP registry. The argument is the URL of the
// registry.
import { once } from 'node:events';
import { createRegistryRouter } from '@syncline/serving/express';
import { createCoordinator } from '@syncline/sync/embed';
import express from 'express';

const endpoint = process.argv[2] ?? 'https://registry.modelcontextprotocol.io';
const port = Number(process.env['PORT'] ?? 8080);

const coordinator = createCoordinator({
  config: {
    registries: [{ name: 'official', api: { endpoint }, syncPolicy: { interval: '1h' } }],
    catalogs: [{ name: 'default', registries: ['official'] }],
  },
  dataDir: './data',
  logger: {
    debug: () => {},
    info: (fields, message) => console.log(message, fields),
    warn: (fields, message) => console.warn(message, fields),
    error: (fields, message) => console.error(message, fields),
  },
});
await coordinator.start();

const app = express();
app.use('/registry', createRegistryRouter(coordinator));
const server = app.listen(port, '127.0.0.1', () => {
  console.log(`Serving http://127.0.0.1:${port}/registry/default/v0.1/servers`);
});

await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
server.close();
await coordinator.stop();
