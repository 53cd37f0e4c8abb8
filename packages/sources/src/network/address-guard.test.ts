import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressGuard, type ResolvedAddress } from './address-guard.ts';

const REFUSED = { code: 'source-address-refused' };

/** A guard whose resolver knows only these names. */
function guard(allow: readonly string[] = [], names: Record<string, readonly string[]> = {}) {
  const lookup = async (host: string): Promise<ResolvedAddress[]> => {
    const found = names[host];
    if (found === undefined) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
    return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return createAddressGuard({ allow: () => allow, lookup });
}

describe('AddressGuard', () => {
  test.each(['8.8.8.8', '1.1.1.1', '2606:4700:4700::1111', '[2a00:1450::1]', '64:ff9b::8.8.8.8'])(
    'permits %s',
    async (host) => {
      const address = host.replace(/[[\]]/g, '');
      expect(await guard().resolve(host)).toEqual([
        { address, family: address.includes(':') ? 6 : 4 },
      ]);
    },
  );

  test.each([
    ['loopback', '127.0.0.1'],
    ['loopback, last address', '127.255.255.254'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['this network', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['link-local', '169.254.0.1'],
    ['the metadata of most clouds', '169.254.169.254'],
    ['the metadata of Alibaba', '100.100.100.200'],
    ['the platform of Azure', '168.63.129.16'],
    ['the metadata of Oracle', '192.0.0.192'],
    ['benchmarking', '198.18.0.1'],
    ['documentation', '203.0.113.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '[::]'],
    ['unspecified, without brackets', '::'],
    ['loopback', '::1'],
    ['loopback at length', '0:0:0:0:0:0:0:1'],
    ['loopback with zeros', '0000:0000:0000:0000:0000:0000:0000:0001'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['loopback with a zone', '::1%lo'],
    ['unique local', 'fc00::1'],
    ['the metadata of AWS', 'fd00:ec2::254'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['mapped', '[::ffff:127.0.0.1]'],
    ['mapped in hex', '::ffff:7f00:1'],
    ['mapped in capitals', '::FFFF:A9FE:A9FE'],
    ['mapped at length', '0:0:0:0:0:ffff:10.0.0.1'],
    ['compatible', '::127.0.0.1'],
    ['compatible in hex', '::7f00:1'],
    ['compatible of a public one', '::8.8.8.8'],
    ['translated', '::ffff:0:127.0.0.1'],
    ['NAT64', '64:ff9b::127.0.0.1'],
    ['NAT64 in hex', '64:ff9b::a00:1'],
    ['local NAT64', '64:ff9b:1::8.8.8.8'],
    ['6to4', '2002:7f00:1::'],
    ['6to4 of a public one', '2002:808:808::'],
    ['Teredo', '2001:0:1234::1'],
    ['documentation', '2001:db8::1'],
    ['discard', '100::1'],
    ['unassigned', '4000::1'],
  ])('blocks an address of the kind “%s”: %s', async (_kind, host) => {
    await expect(guard().resolve(host)).rejects.toMatchObject(REFUSED);
  });

  test('blocks a name if any of its addresses is not public', async () => {
    const { resolve } = guard([], { 'a.example': ['8.8.8.8', '10.0.0.1'] });
    await expect(resolve('a.example')).rejects.toMatchObject({
      ...REFUSED,
      message:
        'a.example is 10.0.0.1, which is a private address and is blocked. Add it to network.allow to permit it',
    });
  });

  test('returns the addresses of a name in the order of the resolver', async () => {
    const { resolve } = guard([], { 'a.example': ['2606:4700::1', '8.8.8.8'] });
    expect(await resolve('A.Example.')).toEqual([
      { address: '2606:4700::1', family: 6 },
      { address: '8.8.8.8', family: 4 },
    ]);
  });

  test.each(['gone.example', 'empty.example'])('reports that %s does not resolve', async (host) => {
    await expect(guard([], { 'empty.example': [] }).resolve(host)).rejects.toMatchObject({
      code: 'source-unreachable',
      message: expect.stringContaining(`cannot resolve ${host}`),
    });
  });

  test('blocks localhost and unusual notations, which the system resolves', async () => {
    const { resolve } = createAddressGuard({ allow: () => [] });
    for (const host of ['localhost', 'LOCALHOST.', '2130706433', '0x7f.1', '0177.0.0.1', '127.1']) {
      await expect(resolve(host), host).rejects.toMatchObject(REFUSED);
    }
  });

  test('blocks an invalid answer of the resolver', async () => {
    const { resolve } = guard(['a', '0.0.0.0/0'], { 'a.example': ['nonsense'] });
    await expect(resolve('a.example')).rejects.toMatchObject(REFUSED);
  });
});

describe('a network.allow entry', () => {
  const NAMES = { 'git.corp.example': ['10.1.2.3'], 'other.example': ['10.1.2.4'] };

  test.each<[entry: string, host: string]>([
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1/32', '127.0.0.1'],
    ['127.0.0.1', '::ffff:127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::ffff:10.0.0.0/104', '10.9.9.9'],
    ['10.0.0.0/8', 'git.corp.example'],
    ['10.1.2.3/8', 'git.corp.example'],
    ['git.corp.example', 'git.corp.example'],
    ['GIT.Corp.Example.', 'git.corp.example'],
    ['::1', '[::1]'],
    ['::1/128', '0:0::1'],
    ['fd00::/8', 'fd12::1'],
    ['10.0.0.0/8', '64:ff9b::10.0.0.1'],
    ['64:ff9b::/96', '64:ff9b::10.0.0.1'],
    ['fe80::/10', 'fe80::1%eth0'],
  ])('%s permits %s', async (entry, host) => {
    expect(await guard([entry], NAMES).resolve(host)).toHaveLength(1);
  });

  test.each<[entry: string, host: string]>([
    ['127.0.0.1', '127.0.0.2'],
    ['10.1.2.0/24', '10.1.3.1'],
    ['git.corp.example', 'other.example'],
    ['git.corp.example', '10.1.2.3'],
    ['corp.example', 'git.corp.example'],
    ['git.corp.example', 'git.corp.example.evil.example'],
    ['::/0', '127.0.0.1'],
    ['::/0', '::ffff:127.0.0.1'],
    ['::ffff:0:0/90', '127.0.0.1'],
    ['0.0.0.0/0', '::1'],
    ['::1', '127.0.0.1'],
    ['10.0.0.0/nonsense', '10.0.0.1'],
    ['10.0.0.0/33', '10.0.0.0'],
  ])('%s does not permit %s', async (entry, host) => {
    const names = { ...NAMES, 'git.corp.example.evil.example': ['10.0.0.1'] };
    await expect(guard([entry], names).resolve(host)).rejects.toMatchObject(REFUSED);
  });

  test('with digits and dots is an address, not a name', async () => {
    const { resolve } = guard(['10.0.0.1'], { '10.0.0.1.': ['127.0.0.1'] });
    expect(await resolve('10.0.0.1.')).toEqual([{ address: '10.0.0.1', family: 4 }]);
  });

  test('applies as soon as the config changes', async () => {
    let allow: readonly string[] = [];
    const { resolve, permits } = createAddressGuard({ allow: () => allow });
    await expect(resolve('127.0.0.1')).rejects.toMatchObject(REFUSED);
    allow = ['127.0.0.0/8'];
    expect(await resolve('127.0.0.1')).toHaveLength(1);
    expect(permits('localhost', '127.0.0.1')).toBe(true);
    allow = [];
    expect(permits('localhost', '127.0.0.1')).toBe(false);
  });
});

/** Ranges that are not public, by the IANA registries of special addresses: base and prefix length. */
const SPECIAL_IPV4 = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xe0000000, 3],
] as const;

const specialIpv4 = fc
  .constantFrom(...SPECIAL_IPV4)
  .chain(([base, bits]) =>
    fc.integer({ min: 0, max: 2 ** (32 - bits) - 1 }).map((rest) => base + rest),
  );

/** A number in one of the bases that resolvers and URLs accept. */
function spell(value: number, base: number): string {
  if (base === 16) return `0x${value.toString(16)}`;
  return base === 8 ? `0${value.toString(8)}` : String(value);
}

/** Any spelling of an IPv4 address: one to four parts, each in its own base. */
const spelling = fc
  .tuple(
    specialIpv4,
    fc.integer({ min: 1, max: 4 }),
    fc.array(fc.constantFrom(8, 10, 16), {
      minLength: 4,
      maxLength: 4,
    }),
  )
  .map(([address, count, bases]) => {
    const octets = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255);
    const last = octets.slice(count - 1).reduce((sum, octet) => sum * 256 + octet, 0);
    return [...octets.slice(0, count - 1), last]
      .map((part, index) => spell(part, bases[index] ?? 10))
      .join('.');
  });

function hexPair(address: number): string {
  return `${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`;
}

describe('no spelling permits an address that is not public', () => {
  const system = createAddressGuard({ allow: () => [] });

  test('as an IPv4 host', async () => {
    await fc.assert(
      fc.asyncProperty(spelling, fc.constantFrom('', '.'), async (host, end) => {
        const error = await system.resolve(host + end).catch((thrown: unknown) => thrown);
        // The system resolver reads most spellings as addresses, and cannot resolve the others.
        expect(error).toMatchObject({
          code: expect.stringMatching(/^source-(address-refused|unreachable)$/),
        });
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test('as an IPv4 host in a URL', async () => {
    await fc.assert(
      fc.asyncProperty(spelling, fc.constantFrom('', '.'), async (host, end) => {
        const { hostname } = new URL(`http://${host}${end}/`);
        await expect(system.resolve(hostname)).rejects.toMatchObject(REFUSED);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  test('as IPv4 within IPv6', async () => {
    const prefixes = ['::ffff:', '0:0:0:0:0:FFFF:', '::', '64:ff9b::', '::ffff:0:', '2002:'];
    await fc.assert(
      fc.asyncProperty(specialIpv4, fc.constantFrom(...prefixes), async (address, prefix) => {
        const host = `${prefix}${hexPair(address)}${prefix === '2002:' ? '::' : ''}`;
        await expect(system.resolve(host)).rejects.toMatchObject(REFUSED);
        const { hostname } = new URL(`http://[${host}]/`);
        await expect(system.resolve(hostname)).rejects.toMatchObject(REFUSED);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  test('as IPv6 outside 2000::/3', async () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(groups, async (parts) => {
        fc.pre(((parts[0] ?? 0) & 0xe000) !== 0x2000);
        const host = parts.map((part) => part.toString(16)).join(':');
        await expect(system.resolve(host)).rejects.toMatchObject(REFUSED);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});
