import type { Scenario } from '../../scenario.ts';
import { type Attempt, unrefused } from './attempts.ts';

const COMMANDS: readonly Attempt[] = [
  { method: 'POST', path: '/v1/registries/honest-1/sync', body: {} },
  { method: 'POST', path: '/v1/sync', body: { force: true } },
  { method: 'POST', path: '/v1/registries/honest-1/suspend', body: {} },
  { method: 'POST', path: '/v1/registries/honest-1/preview', body: { wait: 1 } },
  { method: 'PUT', path: '/queues/api/queues/registry-sync/pause' },
];
const FORWARDED = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };

/**
 * A proxy with default settings stands in front of an api without a configured token. It sends its own address as
 * `Host` and no forwarded header, so the api cannot tell it from a local program. Control must be closed, and through
 * a proxy that does forward, reading `/v1` too.
 */
export const openControl: Scenario = {
  id: 'X5',
  title: 'control through a proxy, without a token',
  fleet: { token: 'none' },
  cause: {},
  inspect: async ({ fleet: { apiUrl } }) => {
    const host = { host: new URL(apiUrl).host };
    return unrefused(apiUrl, [
      ...COMMANDS.map((command) => ({ ...command, headers: host })),
      ...COMMANDS.map((command) => ({ ...command, headers: { ...host, ...FORWARDED } })),
      { path: '/v1/registries', headers: FORWARDED },
      { path: '/queues', headers: FORWARDED },
      { path: '/metrics', headers: FORWARDED },
    ]);
  },
};
