import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { SynclineError } from '@syncline/contract';
import { isAllowed, isPublic, kindOfAddress } from './addresses.ts';

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

/** A guard that also judges connections that are there already. */
export interface ConnectionGuard extends AddressGuard {
  /** Whether a connection to this address, made for this host, may be used now. */
  permits(host: string, address: string): boolean;
}

export interface AddressGuardOptions {
  /** `network.allow` of the config in force: addresses, ranges, names of hosts. */
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

/** As names are compared: without the brackets of an IPv6 address and the dot of the root. */
function normalName(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
    .replace(/\.$/, '');
}

/** Addresses and ranges are no names: they are compared by their value, whoever spells them how. */
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
