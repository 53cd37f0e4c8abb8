import { createServer, type ServerResponse } from 'node:http';
import { CODES } from '../../contract.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

/** An address of this machine that `network.allow` does not name. */
const INSIDE = '127.9.9.9';
const SECRET_ROW =
  '{"servers":[{"name":"com.inside/secret","version":"1.0.0","description":"secret"}]}';

/**
 * Redirects that lead over several steps to a loopback address that the config does not allow, written in several
 * ways, and redirects in a circle. Nobody may connect to that address.
 */
export const redirects: Scenario = {
  id: 'R11',
  title: 'chains of redirects to loopback',
  upstreams: {
    inside: () => serveInside(),
    ...Object.fromEntries(
      ['chain', 'mapped', 'circle'].map((name) => [
        name,
        () => serveHttp((response, { url = '' }) => redirect(name, response, url)),
      ]),
    ),
  },
  registries: ({ urls: { inside = '', ...urls } }) =>
    Object.entries(urls).map(([name, url]) => ({
      name,
      file: { url: `${url}/0/${new URL(inside).port}` },
      syncPolicy: { interval: '5s' },
    })),
  cause: { run: [CODES.addressRefused, CODES.redirectRefused] },
  inspect: async ({ reports }) =>
    reports().some((line) => line.includes('inside was asked'))
      ? ['a redirect reached an address that is not allowed']
      : [],
};

function redirect(name: string, response: ServerResponse, url: string): void {
  const [, step = '0', port = ''] = url.split('/');
  const next = Number(step) + 1;
  const targets: Record<string, string> = {
    chain: `http://${INSIDE}:${port}/`,
    mapped: `http://[::ffff:${INSIDE}]:${port}/`,
  };
  const target = next < 3 ? undefined : targets[name];
  response.writeHead(302, { location: target ?? `/${next}/${port}` }).end();
}

function serveInside(): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer((_request, response) => {
      console.log(JSON.stringify({ level: 'info', msg: 'inside was asked' }));
      response.end(SECRET_ROW);
    });
    server.listen(0, INSIDE, () => {
      const address = server.address();
      const port = address === null || typeof address === 'string' ? 0 : address.port;
      resolve(`http://${INSIDE}:${port}`);
    });
  });
}
