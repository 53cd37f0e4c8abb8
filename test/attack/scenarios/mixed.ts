import { ADMIN_TOKEN } from '../contract.ts';
import { flood, type HostileRequest, occupy } from '../hostile/flood.ts';
import { pump, repeated } from '../hostile/serve.ts';
import type { ClientTarget, RegistriesContext, RegistryInput, Scenario } from '../scenario.ts';
import { nesting } from './bodies/r01-nesting.ts';
import { gzipBombs } from './bodies/r02-gzip-bombs.ts';
import { duplicateKeys } from './bodies/r03-duplicate-keys.ts';
import { yamlAliases } from './bodies/r04-yaml-aliases.ts';
import { cursorLoops } from './bodies/r07-cursor-loops.ts';
import { numbers } from './bodies/r08-numbers.ts';
import { largeRows } from './bodies/x01-large-rows.ts';
import { longCursors } from './bodies/x02-long-cursors.ts';
import { parseTrees } from './bodies/x07b-parse-trees.ts';
import { yamlKeys } from './bodies/x09-yaml-keys.ts';
import { slowHeaders } from './transport/r10-slow-headers.ts';
import { drip } from './transport/x04-drip.ts';
import { idleBodies } from './transport/x07a-idle-bodies.ts';
import { chunkExtensions } from './transport/x07c-chunk-extensions.ts';
import { gitRefs } from './transport/x07d-git-refs.ts';

const CLIENTS = 100;
const ADDRESSES = 10;

const PARTS: readonly Scenario[] = [
  largeRows,
  longCursors,
  drip,
  parseTrees,
  chunkExtensions,
  yamlKeys,
  nesting,
  gzipBombs,
  duplicateKeys,
  yamlAliases,
  cursorLoops,
  slowHeaders,
  withFewer(numbers, 1),
  withFewer(gitRefs, 2),
  withFewer(idleBodies, 2),
];

const operator = {
  authorization: `Bearer ${ADMIN_TOKEN}`,
  'content-type': 'application/json',
};
const REQUESTS: readonly ((number: number) => HostileRequest)[] = [
  () => ({ path: '/v1/registries' }),
  (number) => ({ path: `/registry/library/v0.1/servers?search=none-${number}` }),
  () => ({ path: '/registry/library/v0.1/servers?limit=100' }),
  (number) => ({
    path: '/v1/sync',
    method: 'POST',
    headers: { authorization: `Bearer wrong-${number}` },
  }),
  () => ({
    path: '/v1/registries/drip-1/preview',
    method: 'POST',
    headers: operator,
    body: '{"wait":5}',
  }),
  () => ({ path: '/v1/sync', method: 'POST', headers: operator, body: '{"force":true}' }),
  () => ({ path: `/registry/library/v0.1/servers?cursor=${'a'.repeat(12_000)}` }),
  () => ({ path: '/queues', headers: { host: 'evil.example' } }),
];

/** Thirty hostile upstreams and a hundred clients from ten addresses at once. Memory must stay flat. */
export const mixed: Scenario = {
  id: 'mixed',
  title: 'thirty upstreams and a hundred clients at once',
  upstreams: Object.assign({}, ...PARTS.map(({ upstreams }) => upstreams)),
  registries: (context) => PARTS.flatMap((part) => registriesOf(part, context)),
  fleet: { libraryRows: 5_000 },
  cause: { doctor: ['failing'] },
  clients: (target) =>
    Promise.all(
      Array.from({ length: CLIENTS }, (_, index) => {
        const localAddress = `127.1.0.${1 + (index % ADDRESSES)}`;
        return attack({ ...target, localAddress }, index);
      }),
    ),
};

function withFewer(scenario: Scenario, count: number): Scenario {
  const upstreams = Object.fromEntries(Object.entries(scenario.upstreams ?? {}).slice(0, count));
  return { ...scenario, upstreams };
}

function registriesOf(
  { upstreams = {}, registries }: Scenario,
  { urls, directory }: RegistriesContext,
): readonly RegistryInput[] {
  const own = Object.fromEntries(
    Object.keys(upstreams).map((name): [string, string] => [name, urls[name] ?? '']),
  );
  if (registries !== undefined) return registries({ urls: own, directory });
  return Object.entries(own).map(([name, endpoint]) => ({
    name,
    api: { endpoint },
    syncPolicy: { interval: '5s' },
  }));
}

function attack(target: ClientTarget, index: number): Promise<void> {
  const kind = index % (REQUESTS.length + 2);
  const request = REQUESTS[kind];
  if (request !== undefined) return flood(target, 1, request);
  const path = '/registry/library/v0.1/servers?limit=100';
  const text = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
  return occupy(target, 1, (socket) => {
    socket.pause();
    const isSlow = kind === REQUESTS.length;
    void pump(socket, repeated(isSlow ? 'GET /' : text), { pauseMs: isSlow ? 1_000 : 0 });
  });
}
