import type { z } from 'zod';

/** A path of a config that lies on the workers' disk. */
export interface SourcePath {
  /** The keys that lead to it, from the block of the source inwards. */
  readonly keys: readonly string[];
  /** The option that messages name, such as `auth.tokenFile`. */
  readonly option: string;
  readonly path: string;
  /** `registry`: the registry itself; `secret`: a credential; `public`: other files of a login. */
  readonly use: 'registry' | 'secret' | 'public';
}

/** Everything in the config about one kind of source. `packages/sources` reads it. */
export interface SourceDefinition<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** Whether a cheap check can tell that nothing changed. Without it, only reading tells. */
  readonly hasProbe: boolean;
  /**
   * Returns what decides which state is read. A revision says nothing about another identity. The order of
   * the keys is part of the hash.
   */
  identity(block: z.output<Schema>): object;
  /** Returns where the registry is read from, for people, without credentials. */
  location(block: z.output<Schema>): string;
  /** Returns what the credentials are sent to: an origin, or a repository. */
  audience(block: z.output<Schema>): string;
  /** Returns the paths in a block, which need not be parsed. */
  paths(block: z.input<Schema> | z.output<Schema>): SourcePath[];
}

/** Defines one kind of source; the schema gives the types of the rest. */
export function defineSource<Schema extends z.ZodType>(
  definition: SourceDefinition<Schema>,
): SourceDefinition<Schema> {
  return definition;
}

/** Returns the path in a list; an empty list for an absent path. */
export function pathAt(
  keys: readonly string[],
  path: string | undefined,
  use: SourcePath['use'],
): SourcePath[] {
  return path === undefined ? [] : [{ keys, option: keys.join('.'), path, use }];
}
