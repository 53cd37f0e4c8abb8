import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { SynclineError } from '@syncline/contract';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [base: Address, bits: number];

/** The global unicast addresses of IPv6 at present. Other addresses are reserved or have special uses. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');
/** A NAT64 gateway translates these addresses to the IPv4 address in their last 32 bits. @see RFC 6052 */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/** A public address that only machines in Azure can reach. It serves their metadata. */
const AZURE_PLATFORM = ipaddr.IPv4.parse('168.63.129.16');

/** Returns whether an address belongs to the public internet. */
function isPublic(address: string): boolean {
  return rangeOf(address) === 'unicast';
}

/** Returns a noun phrase that describes a non-public address. */
function kindOfAddress(address: string): string {
  const range = rangeOf(address);
  if (range === 'loopback' || range === 'private') return `a ${range} address`;
  const words = range.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `an address in the ${words} range`;
}

/**
 * Returns whether an address equals an address in `entries` or lies in a range in `entries`. An IPv4
 * address matches with and without the prefix `::ffff:`, both as the address and as the entry.
 */
export function isAllowed(address: string, entries: readonly string[]): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  // A range may contain the addresses of the gateway, or the IPv4 addresses inside them.
  const meanings = [parsed, embeddedIn(parsed)].filter((it) => it !== undefined);
  const ranges = entries.map(parseRange).filter((it) => it !== undefined);
  return meanings.some((meaning) => ranges.some((range) => isIn(meaning, range)));
}

function rangeOf(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === undefined) return 'unknown';
  const target = embeddedIn(parsed) ?? parsed;
  if (isIn(target, [AZURE_PLATFORM, 32])) return 'cloudMetadata';
  const range = target.range();
  const isOutside = target.kind() === 'ipv6' && !isIn(target, GLOBAL_IPV6);
  return isOutside && range === 'unicast' ? 'reserved' : range;
}

/** Parses an address and ignores its zone. Turns an IPv4 address in IPv6 notation into an IPv4 address. */
function parseAddress(address: string): Address | undefined {
  const [withoutZone = ''] = address.split('%', 1);
  if (ipaddr.IPv4.isValidFourPartDecimal(withoutZone)) return ipaddr.IPv4.parse(withoutZone);
  const plain = withoutZone.replace(DOTTED_END, (_, ...parts) => hexEnd(parts.slice(0, 4)));
  return ipaddr.IPv6.isValid(plain) ? ipaddr.process(plain) : undefined;
}

/** ipaddr.js treats `::1.2.3.4`, a deprecated form of address, as `::ffff:1.2.3.4`. */
const DOTTED_END = /(?<=:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

function hexEnd(parts: readonly string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function embeddedIn(address: Address): ipaddr.IPv4 | undefined {
  if (!(address instanceof ipaddr.IPv6) || !address.match(NAT64)) return undefined;
  return new ipaddr.IPv4(address.toByteArray().slice(-4));
}

/** Parses an address or a range. Returns `undefined` for a host name. */
function parseRange(entry: string): Range | undefined {
  const [base = '', bits] = entry.split('/');
  const parsed = parseAddress(base);
  if (parsed === undefined) return undefined;
  const isMapped = parsed.kind() === 'ipv4' && base.includes(':');
  const width = parsed.kind() === 'ipv4' ? 32 : 128;
  if (bits === undefined) return [parsed, width];
  const ownBits = Number(bits) - (isMapped ? 96 : 0);
  return ownBits >= 0 && ownBits <= width ? [parsed, ownBits] : undefined;
}

/** Returns whether an address lies in a range. Returns false if one is IPv4 and the other is IPv6. */
function isIn(address: Address, [base, bits]: Range): boolean {
  return address.kind() === base.kind() && address.match(base, bits);
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Blocks requests to non-public addresses unless the config allows these addresses. */
export interface ConnectionGuard {
  /**
   * Returns the permitted addresses of a host, in the order of the resolver. Connect only to one of these
   * addresses: a second lookup may return other addresses.
   *
   * @param host a host name or an address; an IPv6 address with or without brackets
   * @throws SynclineError `source-address-refused` if one of the addresses is neither public nor allowed;
   *   `source-unreachable` if the name does not resolve
   */
  resolve(host: string): Promise<readonly ResolvedAddress[]>;
  /** Returns whether the config in force permits a connection to this address, made for this host. */
  permits(host: string, address: string): boolean;
}

export interface AddressGuardOptions {
  /** Returns `network.allow` of the config in force: addresses, ranges and host names. */
  readonly allow: () => readonly string[];
  readonly lookup?: (host: string) => Promise<readonly ResolvedAddress[]>;
}

export function createAddressGuard({
  allow,
  lookup = systemLookup,
}: AddressGuardOptions): ConnectionGuard {
  const permits = (host: string, address: string) => {
    if (isPublic(address)) return true;
    const entries = allow();
    return isNamed(normalName(host), entries) || isAllowed(address, entries);
  };
  return {
    permits,
    async resolve(host) {
      const name = normalName(host);
      const addresses = await resolveName(name, lookup);
      const refused = addresses.find(({ address }) => !permits(name, address));
      if (refused !== undefined) throw addressRefused(name, refused.address);
      return addresses;
    },
  };
}

/** Normalizes a name for comparison: removes the brackets of an IPv6 address and the trailing dot. */
function normalName(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
    .replace(/\.$/, '');
}

/**
 * Returns whether `entries` contains a host name. Returns false for addresses: an address has several
 * notations, so other code compares addresses by value.
 */
function isNamed(name: string, entries: readonly string[]): boolean {
  return isIP(name) === 0 && entries.some((entry) => normalName(entry) === name);
}

async function resolveName(
  name: string,
  lookup: (host: string) => Promise<readonly ResolvedAddress[]>,
): Promise<readonly ResolvedAddress[]> {
  const family = isIP(name);
  if (family === 4 || family === 6) return [{ address: name, family }];
  const found = await lookup(name).catch((cause: unknown) => {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new SynclineError('source-unreachable', `cannot resolve ${name}: ${detail}`, { cause });
  });
  if (found.length > 0) return found;
  throw new SynclineError('source-unreachable', `cannot resolve ${name}: it has no address`);
}

async function systemLookup(host: string): Promise<readonly ResolvedAddress[]> {
  const found = await dnsLookup(host, { all: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

function addressRefused(name: string, address: string): SynclineError {
  const what = name === address ? name : `${name} is ${address}, which`;
  return new SynclineError(
    'source-address-refused',
    `${what} is ${kindOfAddress(address)} and is blocked. Add it to network.allow to permit it`,
  );
}
