import type { z } from 'zod';
import { apiSource } from './api.ts';
import type { SourceDefinition, SourcePath } from './define-source.ts';
import { fileSource } from './file.ts';
import { gitSource } from './git.ts';

/** All kinds of sources that a config may name. Schema, hashes, previews, doctor and docs read this table. */
export const SOURCE_KINDS = { file: fileSource, git: gitSource, api: apiSource };

type SourceKinds = typeof SOURCE_KINDS;
export type ConfiguredSourceKind = keyof SourceKinds;

/** The parsed config block of each kind of source. */
export type SourceBlocks = {
  [Kind in ConfiguredSourceKind]: z.output<SourceKinds[Kind]['schema']>;
};
type BlocksWritten = { [Kind in ConfiguredSourceKind]: z.input<SourceKinds[Kind]['schema']> };

/** The source blocks of a registry. A configured registry has one, and the derived registry of a catalog has none. */
export type Sources = { readonly [Kind in ConfiguredSourceKind]?: SourceBlocks[Kind] | undefined };
export type SourcesWritten = {
  readonly [Kind in ConfiguredSourceKind]?: SourceBlocks[Kind] | BlocksWritten[Kind] | undefined;
};

export const CONFIGURED_SOURCE_KINDS = Object.keys(SOURCE_KINDS) as ConfiguredSourceKind[];

type Definitions = {
  readonly [Kind in ConfiguredSourceKind]: SourceDefinition<SourceKinds[Kind]['schema']>;
};
const DEFINITIONS: Definitions = SOURCE_KINDS;

/** Returns the paths on the workers' disk that a parsed or unparsed registry names. */
export function sourcePaths(sources: SourcesWritten): SourcePath[] {
  const pathsOf = <Kind extends ConfiguredSourceKind>(kind: Kind): SourcePath[] => {
    const block = sources[kind];
    if (block === undefined) return [];
    return DEFINITIONS[kind].paths(block).map((path) => ({
      ...path,
      keys: [kind, ...path.keys],
      option: `${kind}.${path.option}`,
    }));
  };
  return CONFIGURED_SOURCE_KINDS.flatMap(pathsOf);
}

/** Returns the source of a registry, or `undefined` for the derived registry of a catalog. */
export function configuredSource(sources: Sources) {
  const describe = <Kind extends ConfiguredSourceKind>(kind: Kind) => {
    const block = sources[kind];
    if (block === undefined) return undefined;
    const { hasProbe, ...of } = DEFINITIONS[kind];
    const identity = of.identity(block);
    return {
      kind,
      hasProbe,
      identity,
      location: of.location(block),
      audience: of.audience(block),
      usesCredentials: of.usesCredentials(block),
    };
  };
  return CONFIGURED_SOURCE_KINDS.map(describe).find((found) => found !== undefined);
}
