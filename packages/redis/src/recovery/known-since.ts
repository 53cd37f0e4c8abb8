/** Since when each name is known, of those that are known now: a new config makes none of them new. */
export function knownSince(
  before: ReadonlyMap<string, number>,
  { names, nowMs }: { names: readonly string[]; nowMs: number },
): ReadonlyMap<string, number> {
  return new Map(names.map((name) => [name, before.get(name) ?? nowMs]));
}
