import { createHash } from 'node:crypto';

/** SHA-256 in hex: the name under which a blob is stored. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
