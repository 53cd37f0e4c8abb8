/**
 * Text of an upstream or of an operator: it must not steer the terminal that it is shown on, nor turn
 * round what stands beside it.
 */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ');
}

/** As much of a snapshot's digest as tells it from others; commands take that much of it. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 12);
}

/** `1 server`, `2 servers`, `3 registries` */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`;
}

/** Those that are there, one after the other. */
export function joined(parts: readonly (string | false | undefined)[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join('; ');
}
