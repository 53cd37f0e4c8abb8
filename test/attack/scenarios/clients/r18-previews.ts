import { ADMIN_TOKEN, CODES } from '../../contract.ts';
import { flood } from '../../hostile/flood.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const CLIENTS = 50;

/** An operator's token is abused for previews of an upstream that never answers. They must not displace runs. */
export const previews: Scenario = {
  id: 'R18',
  title: 'fifty clients ask for previews of a silent upstream',
  upstreams: { silent: () => serveHttp(() => {}) },
  registries: ({ urls: { silent: endpoint = '' } }) => [
    { name: 'silent', api: { endpoint, timeout: '15m' }, syncPolicy: { interval: '12h' } },
  ],
  clients: (target) =>
    flood(target, CLIENTS, () => ({
      path: '/v1/registries/silent/preview',
      method: 'POST',
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ wait: 5 }),
    })),
  cause: { answer: ['preview-failed', CODES.overloaded, 'timed out'] },
};
