import { isAlias, isMap, isPair, isScalar, isSeq, type Node, type Pair } from 'yaml';
import type { ConfigDocument } from './read-document.ts';

export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * Where in the file the value at `path` stands, or the nearest thing around it that is there.
 * With `at: 'key'` it is the place of the key in place of that of its value.
 */
export function locate(
  source: ConfigDocument,
  path: readonly PropertyKey[],
  { at }: { at: 'key' | 'value' } = { at: 'value' },
): Position {
  let node: Node | undefined = source.document.contents ?? undefined;
  let offset = startOf(node) ?? 0;
  for (const [depth, segment] of path.entries()) {
    const pair: Pair | undefined = isMap(node) ? findPair(node.items, segment) : undefined;
    const child = resolve(source, pair === undefined ? itemOf(node, segment) : pair.value);
    const isLast = depth === path.length - 1;
    const key = startOf(pair?.key);
    if (pair === undefined && child === undefined) break;
    // An alias stands where it is used: what it names may be far away.
    const value = startOf(pair?.value ?? itemOf(node, segment));
    offset = (isLast && at === 'key' ? (key ?? value) : (value ?? key)) ?? offset;
    node = child;
  }
  const { line, col } = source.lineCounter.linePos(offset);
  return { line, column: col };
}

function findPair(items: readonly unknown[], key: PropertyKey): Pair | undefined {
  return items.find(
    (item): item is Pair =>
      isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
  );
}

function itemOf(node: unknown, index: PropertyKey): unknown {
  return isSeq(node) && typeof index === 'number' ? node.items[index] : undefined;
}

function resolve(source: ConfigDocument, value: unknown): Node | undefined {
  if (isAlias(value)) return value.resolve(source.document);
  return isMap(value) || isSeq(value) || isScalar(value) ? value : undefined;
}

function startOf(node: unknown): number | undefined {
  if (isMap(node) || isSeq(node) || isScalar(node) || isAlias(node)) return node.range?.[0];
  return undefined;
}
