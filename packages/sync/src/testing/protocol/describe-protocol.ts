import { expect, test } from 'vitest';
import { findViolation } from './play.ts';
import type { ProtocolStore } from './protocol-store.ts';

/** Tests that a store follows `SPEC.md`, whatever holders, requesters and operators do in any order. */
export function describeProtocol(name: string, create: () => ProtocolStore): void {
  test(`${name} follows the protocol in any order of actions`, async () => {
    expect(await findViolation(create())).toBeUndefined();
  });
}
