import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Config, type RegistryConfig, sourcePaths } from '@syncline/contract';
import { ConfigError, loadConfig } from '@syncline/runtime/config';
import type { FileFacts } from './config-checks.ts';
import type { CredentialFacts, MachineFacts } from './machine-checks.ts';

const run = promisify(execFile);
const PROGRAM_TIMEOUT_MS = 5_000;

/** The config file of this machine, and what there is to say of it. */
export async function observeFile(
  path: string,
): Promise<{ facts: FileFacts; config: Config | undefined }> {
  const shown = relative('', path) || path;
  try {
    const { CONFIG_CHECKS: checks } = await import('@syncline/scheduler');
    const { config, digest } = await loadConfig(path, { checks });
    return { facts: { state: 'good', path: shown, digest }, config };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const isMissing = await access(path).then(
      () => false,
      () => true,
    );
    if (isMissing) return { facts: { state: 'missing', path: shown }, config: undefined };
    const problems = error.message.split('\n');
    return { facts: { state: 'bad', path: shown, problems }, config: undefined };
  }
}

/** What the registries of a config would find on this machine. */
export async function observeMachine(
  dataDir: string,
  registries: readonly RegistryConfig[],
): Promise<MachineFacts> {
  const repositories = registries.flatMap(({ git }) => (git === undefined ? [] : [git.repository]));
  const isSsh = repositories.some((it) => it.startsWith('ssh://') || /^[^/]+:(?!\/\/)/.test(it));
  const [dataDirTrouble, git, ssh, credentials] = await Promise.all([
    writingTrouble(dataDir),
    repositories.length > 0 ? versionOf('git', ['--version']) : undefined,
    isSsh ? versionOf('ssh', ['-V']) : undefined,
    Promise.all(registries.flatMap(credentialFiles).map(observeCredential)),
  ]);
  return {
    dataDir,
    dataDirTrouble,
    git: { isNeeded: repositories.length > 0, version: git },
    ssh: { isNeeded: isSsh, version: ssh },
    credentials,
  };
}

/** Why files cannot be written in a directory; one that is not there yet is made in one that is. */
async function writingTrouble(directory: string): Promise<string | undefined> {
  for (let path = resolve(directory); ; path = dirname(path)) {
    try {
      if (!(await stat(path)).isDirectory()) return `${path} is no directory`;
      await access(path, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') return `${path} cannot be written to (${codeOf(error)})`;
    }
  }
}

/** The first line that a program says of itself; undefined where it cannot be run. */
async function versionOf(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(program, args, { timeout: PROGRAM_TIMEOUT_MS });
    return (stdout || stderr).split('\n')[0]?.trim();
  } catch {
    return undefined;
  }
}

type CredentialFile = Pick<CredentialFacts, 'path' | 'registry' | 'isSecret'>;

function credentialFiles(registry: RegistryConfig): CredentialFile[] {
  return sourcePaths(registry)
    .filter(({ use }) => use !== 'registry')
    .map(({ path, use }) => ({ path, registry: registry.name, isSecret: use === 'secret' }));
}

async function observeCredential(file: CredentialFile): Promise<CredentialFacts> {
  try {
    await access(file.path, constants.R_OK);
    const { mode } = await stat(file.path);
    return { ...file, state: { kind: 'readable', mode } };
  } catch (error) {
    const code = codeOf(error);
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    return { ...file, state: { kind: 'unreadable', reason } };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
