import type { Config } from '@syncline/contract';

export interface AddressesOptions {
  readonly host: string;
  readonly port: number;
  /** The file with the admin token. */
  readonly tokenFile: string;
  readonly config: Config;
}

const CATALOGS_SHOWN = 5;

/** Formats the addresses that a browser or a client can open. */
export function formatAddresses({ host, port, tokenFile, config }: AddressesOptions): string {
  const base = `http://${reachable(host)}:${port}`;
  const registries = config.registries.map(({ name }) => name);
  const names = new Set([...config.catalogs.map(({ name }) => name), ...registries]);
  const shown = [...names].slice(0, CATALOGS_SHOWN);
  const lines = [
    ...shown.map((name, index) => [
      index === 0 ? 'Catalogs' : '',
      `${base}/registry/${name}/v0.1/servers`,
    ]),
    ...(names.size > shown.length
      ? [['', `and ${names.size - shown.length} more: ${base}/v1/catalogs`]]
      : []),
    ['Status', `${base}/v1/registries`],
    ['Bull Board', `${base}/queues`],
    ['Metrics', `${base}/metrics`],
    ['Sign in', `${base}/sign-in`],
    ['Token', `${tokenFile} (permits control over HTTP)`],
  ];
  const text = lines.map(([what = '', where = '']) => `  ${what.padEnd(12)}${where}`);
  return ['', 'Listening; Ctrl-C stops', ...text, ''].join('\n');
}

/**
 * Returns a host for a URL. A client cannot connect to `0.0.0.0` or `::`, which stand for all
 * addresses.
 */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
