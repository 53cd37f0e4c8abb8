/** Replaces characters that could control a terminal or reverse the direction of other text. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ');
}

/** Returns the first characters of a snapshot's digest. Commands accept this short form. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 12);
}

/** Formats a number, as in `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** Formats a number and a noun, as in `1 server`, `2 servers`, `3 registries`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** Formats a number of registries, as in `3 registries`. */
export function countedRegistries(count: number): string {
  return counted(count, 'registry', 'registries');
}

/** Formats numbers of registries and catalogs, as in `3 registries, 1 catalog`. */
export function countedTargets(registries: number, catalogs: number): string {
  return joined(
    [countedRegistries(registries), catalogs > 0 && counted(catalogs, 'catalog')],
    ', ',
  );
}

/** Joins the parts that are not empty. */
export function joined(parts: readonly (string | false | undefined)[], separator = '; '): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(separator);
}

/** Formats a list of names, as in `a, b, c and 4 more`. */
export function listed(names: readonly string[], most = 3): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
