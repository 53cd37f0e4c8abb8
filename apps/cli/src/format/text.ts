/** Text of an upstream or of an operator: it must not steer the terminal that it is shown on. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
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
