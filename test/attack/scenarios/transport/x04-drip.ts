import { CODES } from '../../contract.ts';
import { pump, repeated, serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

/**
 * Two apis send one byte a second. They must not hold the capacity that the whole reads of others need, must end by
 * the least rate of a body, and must show as waiting in `doctor` while they last.
 */
export const drip: Scenario = {
  id: 'X4',
  title: 'two apis that send one byte a second',
  upstreams: { 'drip-1': serveDrip, 'drip-2': serveDrip },
  registries: ({ urls }) =>
    Object.entries(urls).map(([name, endpoint]) => ({
      name,
      // Without the long timeout of a request, that timeout alone would end it.
      api: { endpoint, timeout: '15m' },
      syncPolicy: { interval: '5s' },
    })),
  cause: { run: [CODES.tooSlow] },
};

function serveDrip(): Promise<string> {
  return serveHttp((response) => {
    response.write('{"servers":[');
    void pump(response, repeated(' '), { pauseMs: 1_000 });
  });
}
