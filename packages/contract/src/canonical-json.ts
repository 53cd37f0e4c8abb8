import { createHash } from 'node:crypto';

/** Returns JSON with sorted object keys, so that equal data gives equal text. */
export function canonicalJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
  return text ?? 'undefined';
}

/** Returns the SHA-256 in hex of bytes, or of the UTF-8 form of a text. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Returns the SHA-256 in hex of the value's canonical JSON. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** Returns the 32-bit FNV-1a hash of the low bytes of the characters. @see RFC 9923 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ (text.charCodeAt(index) & 0xff), 0x01000193);
  }
  return hash >>> 0;
}
