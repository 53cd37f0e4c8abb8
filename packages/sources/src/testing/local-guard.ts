import { type ConnectionGuard, createAddressGuard } from '../network/address-guard.ts';

/** The entries of `network.allow` that permit upstreams on this machine. */
const LOCAL_TARGETS = ['127.0.0.0/8', '::1/128'] as const;

/** Returns a guard that permits upstreams on this machine. */
export function localGuard(): ConnectionGuard {
  return createAddressGuard({ allow: () => LOCAL_TARGETS });
}
