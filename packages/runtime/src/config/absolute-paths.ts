import { resolve } from 'node:path';
import { type ConfigInput, sourcePaths } from '@syncline/contract';

/**
 * Returns the same config, with every relative path in it taken from `directory`: those of registry files,
 * local repositories and files with credentials.
 */
export function withAbsolutePaths(input: ConfigInput, directory: string): ConfigInput {
  return {
    ...input,
    registries: input.registries.map((registry) => {
      const absolute = structuredClone(registry);
      for (const { keys, path } of sourcePaths(registry)) {
        setAt(absolute, keys, resolve(directory, path));
      }
      return absolute;
    }),
  };
}

function setAt(target: object, [key = '', ...rest]: readonly string[], value: string): void {
  if (rest.length === 0) Reflect.set(target, key, value);
  else setAt(Reflect.get(target, key), rest, value);
}
