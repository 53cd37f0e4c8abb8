import type { z } from 'zod';

/** A path in a config that refers to the disk of the workers. */
export interface SourcePath {
  /** The keys from the source's block to the path. */
  readonly keys: readonly string[];
  /** The option's name in messages, such as `auth.tokenFile`. */
  readonly option: string;
  readonly path: string;
  /** `registry`: the registry itself; `secret`: a credential; `public`: another file for the login. */
  readonly use: 'registry' | 'secret' | 'public';
}

/** Everything that the config knows about one kind of source. `packages/sources` reads it. */
export interface SourceDefinition<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** Whether a cheap check can detect that nothing changed. Without a cheap check, a run must read the source. */
  readonly hasProbe: boolean;
  /**
   * Returns the settings that decide which state a run reads. A revision is valid only for one identity. The order of
   * the keys affects the hash.
   */
  identity(block: z.output<Schema>): object;
  /** Returns the location of the registry, for people to read. It has no credentials. */
  location(block: z.output<Schema>): string;
  /** Returns the origin or the repository that receives the credentials. */
  audience(block: z.output<Schema>): string;
  /** Returns whether Syncline sends a credential to read the registry. Its rows may then be private. */
  usesCredentials(block: z.output<Schema>): boolean;
  /** Returns the paths in a parsed or unparsed block. */
  paths(block: z.input<Schema> | z.output<Schema>): SourcePath[];
}

/** Defines one kind of source. TypeScript infers the other types from the schema. */
export function defineSource<Schema extends z.ZodType>(
  definition: SourceDefinition<Schema>,
): SourceDefinition<Schema> {
  return definition;
}

/** Returns a list with the path, or an empty list if the path is undefined. */
export function pathAt(
  keys: readonly string[],
  path: string | undefined,
  use: SourcePath['use'],
): SourcePath[] {
  return path === undefined ? [] : [{ keys, option: keys.join('.'), path, use }];
}
