import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigInput } from '@syncline/contract';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { temporaryDirectory } from './temporary.ts';

/** Allows upstreams on this machine, because the upstreams of tests run there. */
const LOCAL_TARGETS = ['127.0.0.1/32', '::1/128'];

/**
 * Returns the config with upstreams on this machine allowed. If the config has its own `network.allow`, keeps
 * that.
 */
export function allowingLocalTargets(config: ConfigInput): ConfigInput {
  return { ...config, network: { allow: LOCAL_TARGETS, ...config.network } };
}

/** A config file in its own directory. */
export interface ConfigFile {
  readonly path: string;
  readonly directory: string;
  /** Replaces the config in one step, so that a reader never sees a part of it. */
  replace(config: ConfigInput): Promise<void>;
  /** Replaces the content with any text, like {@link replace}. Use this for configs that do not parse. */
  replaceText(text: string): Promise<void>;
}

/**
 * Writes a config file (JSON, which is YAML), which is removed at the end of the test. Allows upstreams on this
 * machine unless the config has its own `network.allow`.
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

/** Writes a file in one step, so that a reader sees either the old or the new content. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const staged = `${file}.staged`;
  await writeFile(staged, content);
  await rename(staged, file);
}
