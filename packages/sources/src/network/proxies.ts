import ipaddr from 'ipaddr.js';
import { isAllowed } from './addresses.ts';

/** Which proxies requests go through, as the usual variables of the environment say. */
export interface ProxyOptions {
  /** For targets of `http:`; a URL, which may carry a user and a password. */
  readonly http?: string | undefined;
  /** For targets of `https:`. */
  readonly https?: string | undefined;
  /** What is asked without a proxy: names, which stand for those below them too, addresses, ranges, `*`. */
  readonly except?: string | undefined;
}

/** The URL of the proxy for a target; `undefined` where it is asked directly. */
export function proxyFor(
  target: URL,
  { http, https, except = '' }: ProxyOptions,
): string | undefined {
  const proxy = target.protocol === 'https:' ? https : http;
  if (proxy === undefined) return undefined;
  const isExcepted = except
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => matches(target, entry.toLowerCase()));
  return isExcepted ? undefined : proxy;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

function matches(target: URL, entry: string): boolean {
  if (entry === '*') return true;
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  const { name, port } = splitPort(entry);
  if (port !== undefined && port !== (target.port || DEFAULT_PORTS[target.protocol])) return false;
  if (ipaddr.isValid(host)) return isAllowed(host, [name]);
  const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '');
  if (suffix === '') return false;
  return host.endsWith(`.${suffix}`) || (host === suffix && !name.startsWith('*'));
}

/** A port may follow a name, an IPv4 address, or an IPv6 address in brackets. */
function splitPort(entry: string): { name: string; port: string | undefined } {
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry);
  return { name: found?.[1] ?? found?.[2] ?? entry, port: found?.[3] };
}
