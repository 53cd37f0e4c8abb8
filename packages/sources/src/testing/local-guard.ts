import { type ConnectionGuard, createAddressGuard } from '../network/address-guard.ts';

/** What a config has to allow for upstreams on this machine to be asked. */
const LOCAL_TARGETS = ['127.0.0.0/8', '::1/128'] as const;

/** A guard as it comes of a config that allows upstreams on this machine. */
export function localGuard(): ConnectionGuard {
  return createAddressGuard({ allow: () => LOCAL_TARGETS });
}
