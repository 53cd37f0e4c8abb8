/** What an entry of a tree is, as far as it matters here. */
export type EntryKind = 'file' | 'folder' | 'link' | 'submodule';

export interface TreeEntry {
  readonly name: string;
  readonly kind: EntryKind;
  readonly id: string;
}

const SPACE = 0x20;
const KINDS: Readonly<Record<string, EntryKind>> = {
  '40000': 'folder',
  '040000': 'folder',
  '120000': 'link',
  '160000': 'submodule',
};

/**
 * Reads a tree as git stores it: `<mode> <name>\0<id>`, again and again.
 *
 * @param idBytes how long ids are: 20 bytes, or 32
 */
export function parseTree(tree: Uint8Array, idBytes: number): TreeEntry[] {
  const bytes = Buffer.from(tree.buffer, tree.byteOffset, tree.byteLength);
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(SPACE, at);
    const end = bytes.indexOf(0, space);
    if (space < 0 || end < 0 || end + idBytes >= bytes.length + 1) break;
    entries.push({
      name: bytes.toString('utf8', space + 1, end),
      kind: KINDS[bytes.toString('latin1', at, space)] ?? 'file',
      id: bytes.toString('hex', end + 1, end + 1 + idBytes),
    });
    at = end + 1 + idBytes;
  }
  return entries;
}
