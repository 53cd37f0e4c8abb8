import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { SynclineError } from '@syncline/contract';
import ipaddr from 'ipaddr.js';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Keeps requests away from addresses that only those inside of a network should reach. */
export interface AddressGuard {
  /**
   * The addresses of a host that a connection may be made to, in the order of the resolver. Connect to
   * one of these and to no other: asking the resolver again may give others.
   *
   * @param host a name, or an address; an IPv6 address with or without brackets
   * @throws SynclineError `source-address-refused` where one of them, or the host itself, is not public and
   *   not allowed; `source-unreachable` where the name does not resolve
   */
  resolve(host: string): Promise<readonly ResolvedAddress[]>;
}

export interface AddressGuardOptions {
  /** `network.allow` of the config in force: addresses, ranges, names of hosts. */
  readonly allow: () => readonly string[];
  readonly lookup?: (host: string) => Promise<readonly ResolvedAddress[]>;
}

/** The one kind of address that anyone may be sent to. */
const PUBLIC = 'unicast';

export function createAddressGuard({
  allow,
  lookup = systemLookup,
}: AddressGuardOptions): AddressGuard {
  return {
    async resolve(host) {
      const name = host
        .replace(/^\[|\]$/g, '')
        .toLowerCase()
        .replace(/\.$/, '');
      const entries = allow();
      const isNamed = entries.some((entry) => entry.toLowerCase() === name);
      const addresses = await resolveName(name, lookup);
      const refused = addresses.find(
        ({ address }) => !isNamed && !isPublic(address) && !isInRanges(address, entries),
      );
      if (refused === undefined) return addresses;
      const { address } = refused;
      throw new SynclineError(
        'source-address-refused',
        `${name === address ? name : `${name} is ${address}, which`} is ${kindOf(address)}`,
        { expected: 'a public address, or one that network.allow names' },
      );
    },
  };
}

async function resolveName(
  name: string,
  lookup: (host: string) => Promise<readonly ResolvedAddress[]>,
) {
  const family = isIP(name);
  if (family === 4 || family === 6) return [{ address: name, family } as const];
  try {
    return await lookup(name);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new SynclineError('source-unreachable', `cannot resolve ${name}: ${detail}`, { cause });
  }
}

async function systemLookup(host: string): Promise<readonly ResolvedAddress[]> {
  const found = await dnsLookup(host, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

/** The address itself; of one that carries an IPv4 address in it, as `::ffff:127.0.0.1` does, that one. */
function parseAddress(address: string) {
  return ipaddr.process(address.split('%', 1)[0] ?? address);
}

function kindOf(address: string): string {
  const kind = parseAddress(address).range();
  return kind === 'loopback' ? 'a loopback address' : `of the range ${kind}`;
}

function isPublic(address: string): boolean {
  return parseAddress(address).range() === PUBLIC;
}

function isInRanges(address: string, entries: readonly string[]): boolean {
  const parsed = parseAddress(address);
  return entries.some((entry) => {
    const [base = '', bits] = entry.split('/');
    if (!ipaddr.isValid(base)) return false;
    const range = ipaddr.parse(base);
    if (range.kind() !== parsed.kind()) return false;
    return parsed.match(
      range,
      bits === undefined ? (range.kind() === 'ipv4' ? 32 : 128) : Number(bits),
    );
  });
}
