import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';

export interface ProxyOptions {
  /** Addresses and ranges of the proxies whose headers are true. */
  readonly trustedProxies?: readonly string[] | undefined;
}

/** The parts of a request that say where it comes from. */
type Arriving = Pick<IncomingMessage, 'headers'> & {
  readonly socket: Pick<IncomingMessage['socket'], 'remoteAddress'>;
};

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Returns a function that returns the address of a request's client: the sender of the connection or, if that is a
 * trusted proxy, the client that the proxy names in `X-Forwarded-For` or `Forwarded`. For IPv6, returns the network
 * (`/64`) of the client, because one client usually has a whole network.
 */
export function createClientAddress(options: ProxyOptions): (request: Arriving) => string {
  const isTrusted = createTrust(options);
  return ({ socket, headers }) => {
    const sender = parseAddress(socket.remoteAddress);
    if (sender === undefined) return 'unknown';
    if (!isTrusted(sender)) return nameOf(sender);
    const chains = [chainOf(headers['x-forwarded-for']), forwardedChain(headers.forwarded)];
    const clients = chains
      .filter((chain) => chain !== undefined)
      .map((chain) => nameOf(firstUntrusted(sender, chain, isTrusted)));
    // A proxy usually sets one of the headers, and passes the other one on as the client sent it. If they disagree, it is
    // unknown which one is true.
    const [client] = new Set(clients).size === 1 ? clients : [];
    return client ?? nameOf(sender);
  };
}

/** Tells how requests arrive. */
export interface Arrivals {
  /** Returns the address of the client, see {@link createClientAddress}. */
  clientOf(request: Arriving): string;
  /** Returns whether a trusted proxy sent the request. */
  isProxied(request: Arriving): boolean;
  /** Returns whether an address is a trusted proxy. */
  isProxy(address: string): boolean;
  /** Returns whether the client used https, as far as a trusted proxy says so. */
  isHttps(request: Arriving): boolean;
}

export function createArrivals(options: ProxyOptions): Arrivals {
  const isTrusted = createTrust(options);
  const isProxy = (address: string | undefined): boolean => {
    const sender = parseAddress(address);
    return sender !== undefined && isTrusted(sender);
  };
  const isProxied = ({ socket }: Arriving): boolean => isProxy(socket.remoteAddress);
  const isHttps = (request: Arriving): boolean => {
    if (!isProxied(request)) return false;
    const { 'x-forwarded-proto': proto, forwarded } = request.headers;
    const named =
      chainOf(proto)?.at(-1) ?? /(?:^|[;, ])proto="?(\w+)"?[^,]*$/i.exec(forwarded ?? '')?.[1];
    return named?.toLowerCase() === 'https';
  };
  return { clientOf: createClientAddress(options), isProxied, isProxy, isHttps };
}

/** Follows a chain of addresses, in which each proxy has appended its client, from its end to the first stranger. */
function firstUntrusted(
  sender: Address,
  chain: readonly string[],
  isTrusted: (address: Address) => boolean,
): Address {
  let client = sender;
  for (const hop of chain.toReversed()) {
    const next = isTrusted(client) ? parseAddress(hop) : undefined;
    if (next === undefined) return client;
    client = next;
  }
  return client;
}

function createTrust({ trustedProxies = [] }: ProxyOptions): (address: Address) => boolean {
  const ranges = trustedProxies.map((entry) => {
    const [address, bits] = entry.includes('/')
      ? ipaddr.parseCIDR(entry)
      : [ipaddr.process(entry), 128];
    return [address, address.kind() === 'ipv4' ? Math.min(bits, 32) : bits] as const;
  });
  return (address) =>
    ranges.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    );
}

/** Parses an address, also with a port as some proxies write it. */
function parseAddress(text = ''): Address | undefined {
  const [, ipv6, ipv4] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d+)?$/.exec(text) ?? [];
  const address = ipv6 ?? ipv4 ?? text;
  return ipaddr.isValid(address) ? ipaddr.process(address) : undefined;
}

/**
 * Returns the group of an address, for limits a client. An IPv4 address is a group of its own. The IPv6 addresses of a
 * /64 network are one group, because one machine can use all of them.
 */
export function addressGroup(address: string): string {
  const parsed = parseAddress(address);
  return parsed === undefined ? address : nameOf(parsed);
}

function nameOf(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/64`)}/64`;
}

function chainOf(header: string | readonly string[] | undefined): string[] | undefined {
  if (header === undefined) return undefined;
  return String(header)
    .split(',')
    .map((hop) => hop.trim());
}

/** Returns the `for` parameters of a `Forwarded` header. @see RFC 7239 */
function forwardedChain(header: string | undefined): string[] | undefined {
  return chainOf(header)?.map(
    (element) => /(?:^|;)\s*for="?([^";]*)"?/i.exec(element)?.[1] ?? 'unknown',
  );
}
