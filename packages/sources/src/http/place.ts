/** Returns a URL without user, password and query, so that messages may show it. */
export function place(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
