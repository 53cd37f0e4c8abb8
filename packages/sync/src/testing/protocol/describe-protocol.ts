import { expect, test } from 'vitest';
import { findViolation } from './play.ts';
import type { ProtocolStore } from './protocol-store.ts';

/** Whatever holders, requesters and operators do, in whatever order, a store does as `SPEC.md` says. */
export function describeProtocol(name: string, create: () => ProtocolStore): void {
  test(`${name} follows the protocol in any order of actions`, async () => {
    expect(await findViolation(create())).toBeUndefined();
  }, 60_000);
}
