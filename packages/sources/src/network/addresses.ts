/** What an address is, whatever it is spelt like. */
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [base: Address, bits: number];

/** All that is global unicast in IPv6 so far; what lies outside has other uses, or none. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');
/** A gateway takes these to the IPv4 address in their last 32 bits. @see RFC 6052 */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/** Public by its number, but reached from inside of Azure only: it serves what a machine is to know. */
const AZURE_PLATFORM = ipaddr.IPv4.parse('168.63.129.16');

/** Whether anyone may be sent to an address: it is one of the open internet. */
export function isPublic(address: string): boolean {
  return rangeOf(address) === 'unicast';
}

/** Returns what to call an address that is not public, in a sentence. */
export function kindOfAddress(address: string): string {
  const range = rangeOf(address);
  if (range === 'loopback' || range === 'private') return `a ${range} address`;
  return `an address of the range ${range}`;
}

/**
 * Whether an address is one of `entries`, or in a range among them. An IPv4 address is the same with and
 * without `::ffff:` before it, in the address and in the entry.
 */
export function isAllowed(address: string, entries: readonly string[]): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  // A range may mean the gateway's addresses, or those behind it.
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

/** Without its zone; of one that is an IPv4 address in the spelling of IPv6, that one. */
function parseAddress(address: string): Address | undefined {
  const [withoutZone = ''] = address.split('%', 1);
  if (ipaddr.IPv4.isValidFourPartDecimal(withoutZone)) return ipaddr.IPv4.parse(withoutZone);
  const plain = withoutZone.replace(DOTTED_END, (_, ...parts) => hexEnd(parts.slice(0, 4)));
  return ipaddr.IPv6.isValid(plain) ? ipaddr.process(plain) : undefined;
}

/** ipaddr.js takes `::1.2.3.4`, a kind of address long given up, for `::ffff:1.2.3.4`. */
const DOTTED_END = /(?<=:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

function hexEnd(parts: readonly string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function embeddedIn(address: Address): ipaddr.IPv4 | undefined {
  if (!(address instanceof ipaddr.IPv6) || !address.match(NAT64)) return undefined;
  return new ipaddr.IPv4(address.toByteArray().slice(-4));
}

/** `undefined` for an entry that is the name of a host. */
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

/** Ranges of the one kind say nothing of addresses of the other. */
function isIn(address: Address, [base, bits]: Range): boolean {
  return address.kind() === base.kind() && address.match(base, bits);
}
