/** What a row is known by. */
export interface RowKey {
  readonly name: string;
  readonly version: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is the point.
const ASCII = /^[\x00-\x7f]*$/;

/** The UTF-8 bytes of a text, one character a byte, so that `<` compares as bytes do. */
function byteString(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * A string that sorts, with `<`, as the MCP Registry API orders rows: by name, then version, byte by
 * byte. NUL parts the two, so neither may hold one.
 */
export function sortKey({ name, version }: RowKey): string {
  return `${byteString(name)}\0${byteString(version)}`;
}

/** The least sort key of a name: every version of it sorts at or after this. */
export function nameSortKey(name: string): string {
  return `${byteString(name)}\0`;
}

/** A sort key as people read it: `name@version`. */
export function displayKey(key: string): string {
  return Buffer.from(key, 'latin1').toString('utf8').replace('\0', '@');
}

/** The name in a sort key, as bytes: the same for all versions, and before those of later names. */
export function nameOfKey(key: string): string {
  return key.slice(0, key.indexOf('\0'));
}
