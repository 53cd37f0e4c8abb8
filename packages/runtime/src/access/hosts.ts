import { isIP } from 'node:net';
import { SynclineError } from '@syncline/contract';

/**
 * Decides which names a client may use for this process. If a web page makes its own name resolve to this process (DNS
 * rebinding), the browser takes our answers for those of the page. The Host header then shows the name of the page.
 */
export interface HostPolicy {
  /** Returns an error for a request with this Host header, or `undefined` if it is allowed. */
  refuse(header: string | undefined, path: string): SynclineError | undefined;
}

export interface HostPolicyOptions {
  /** The address on which the process listens. */
  readonly host: string;
  /** The names to allow. Without them: loopback names on a loopback address, and any name elsewhere. */
  readonly hosts: readonly string[] | undefined;
}

/** Resolvers may look up a name such as `127.999.1.1`, which is no address, and its owner could point it here. */
const LOOPBACK = /^(localhost|127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|::1)$/i;

/**
 * Probes of Kubernetes, load balancers and Prometheus use the address of a process instead of a name, or send no Host.
 * A web page cannot do that with a name of its own.
 */
const PROBE_PATHS: ReadonlySet<string> = new Set(['/health', '/readiness', '/metrics']);

export function createHostPolicy({ host, hosts }: HostPolicyOptions): HostPolicy {
  const isAllowed = allowedBy({ host, hosts });
  return {
    refuse: (header, path) => {
      const name = hostName(header);
      if (isAllowed(name)) return undefined;
      if (PROBE_PATHS.has(path) && (header === undefined || isIP(name) !== 0)) return undefined;
      const what = header === undefined ? 'there is no Host header' : `the Host ${name} is unknown`;
      return new SynclineError(
        'host-refused',
        `${what}. Use another name, or add the name to SYNCLINE_HOSTS`,
      );
    },
  };
}

function allowedBy({ host, hosts }: HostPolicyOptions): (name: string) => boolean {
  if (hosts !== undefined) {
    const names = new Set(hosts.map((name) => hostName(name)));
    return (name) => names.has(name);
  }
  return isLoopback(host) ? isLoopback : () => true;
}

/** Returns whether `name` is an address of this machine, or `localhost`. */
export function isLoopback(name: string): boolean {
  return LOOPBACK.test(name);
}

/** Returns the name in a Host header without the port, in lower case. An IPv6 address has no brackets. */
export function hostName(header = ''): string {
  const [, ipv6, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(header) ?? [];
  return (ipv6 ?? name ?? header).toLowerCase();
}
