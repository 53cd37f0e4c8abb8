import { mkdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import type { Lifetime } from '../../support/lifetime.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

export interface FileRegistriesOptions {
  readonly names: readonly string[];
  readonly interval: string;
  readonly lifetime: Lifetime;
}

/** A config of registries with one file each, and one server in each file. */
export async function fileRegistries(options: FileRegistriesOptions): Promise<ConfigInput> {
  const { names, interval, lifetime } = options;
  const directory = path.join(await temporaryDirectory(lifetime), 'registries');
  await mkdir(directory);
  const registries = names.map((name) => ({
    name,
    file: { path: path.join(directory, `${name}.json`) },
    syncPolicy: { interval },
  }));
  // An old time: a file that has just been changed is read again, because its times cannot be trusted yet.
  const written = new Date(Date.now() - 3_600_000);
  for (const { name, file } of registries) {
    const server = {
      name: `com.example/${name}`,
      description: `Server of ${name}`,
      version: '1.0.0',
    };
    await writeFile(file.path, JSON.stringify([server]));
    await utimes(file.path, written, written);
  }
  return { registries };
}
