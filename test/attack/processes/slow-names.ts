/**
 * Preloaded into a process under attack (`node --import`). Makes one name resolve slowly to a private address, as the
 * name server of an attacker does.
 */
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { SLOW_NAME } from '../hostile/slow-name.ts';

/** Longer than the check of an address behind a proxy waits. */
const RESOLVES_IN_MS = 2_600;

const { lookup } = dns;
Object.assign(dns, {
  lookup: async (name: string, options: object) => {
    if (name !== SLOW_NAME) return lookup(name, options);
    await sleep(RESOLVES_IN_MS);
    return [{ address: '10.1.2.3', family: 4 }];
  },
});
syncBuiltinESMExports();
