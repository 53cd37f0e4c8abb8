import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { temporaryDirectory } from './temporary.ts';

/** What lets upstreams on this machine be asked, as those of tests are. */
const LOCAL_TARGETS = ['127.0.0.1/32', '::1/128'];

/** The config, with upstreams on this machine allowed unless it says itself what is. */
export function allowingLocalTargets(config: ConfigInput): ConfigInput {
  return { ...config, network: { allow: LOCAL_TARGETS, ...config.network } };
}

/** A config file in a directory of its own. */
export interface ConfigFile {
  readonly path: string;
  readonly directory: string;
  /** Puts another config in its place in one step: nobody reads half of it. */
  replace(config: ConfigInput): Promise<void>;
  /** As {@link replace}, with any text: for configs that do not parse. */
  replaceText(text: string): Promise<void>;
}

/**
 * Writes a config file (JSON, which is YAML) that is removed at the end of the test. It allows upstreams on
 * this machine unless it says itself what is allowed.
 */
export async function writeConfig(
  config: ConfigInput,
  lifetime: Lifetime = testLifetime,
): Promise<ConfigFile> {
  const directory = await temporaryDirectory(lifetime);
  const file = path.join(directory, 'syncline.yaml');
  const replaceText = (text: string) => replaceFile(file, text);
  const replace = (replacing: ConfigInput) =>
    replaceText(JSON.stringify(allowingLocalTargets(replacing), null, 2));
  await replace(config);
  return { path: file, directory, replace, replaceText };
}

/** Writes a file in one step: whoever reads it sees the old content or the new. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const staged = `${file}.staged`;
  await writeFile(staged, content);
  await rename(staged, file);
}
