import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Config, type RegistryConfig, sourcePaths } from '@syncline/contract';
import { ConfigError, loadConfig } from '@syncline/runtime/config';
import semver from 'semver';
import type { FileFacts } from './config-checks.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

export interface CredentialFacts {
  readonly path: string;
  readonly registry: string;
  /** Whether what is in it gives access; known hosts do not. */
  readonly isSecret: boolean;
  readonly state:
    | { readonly kind: 'readable'; readonly mode: number }
    | { readonly kind: 'unreadable'; readonly reason: string };
}

export interface MachineFacts {
  readonly dataDir: string;
  /** Why files cannot be written there, where they cannot. */
  readonly dataDirTrouble: string | undefined;
  /** The programs that registries need, with what each says of itself; undefined where it is absent. */
  readonly git: { readonly isNeeded: boolean; readonly version: string | undefined };
  readonly ssh: { readonly isNeeded: boolean; readonly version: string | undefined };
  readonly credentials: readonly CredentialFacts[];
}

/** The first that can be told which address to connect to. */
const LEAST_GIT = '2.37.0';
const OTHERS_MAY_READ = 0o004;

/** What workers need of the machine that they run on. */
export function checkMachine(facts: MachineFacts): Finding[] {
  return [
    checkDataDir(facts),
    ...(facts.git.isNeeded ? [checkGit(facts.git.version)] : []),
    ...(facts.ssh.isNeeded ? [checkSsh(facts.ssh.version)] : []),
    ...facts.credentials.map(checkCredential),
  ];
}

function checkDataDir({ dataDir, dataDirTrouble }: MachineFacts): Finding {
  const check = 'data directory';
  if (dataDirTrouble === undefined) return ok(check, `${dataDir} can be written to`);
  return problem(check, {
    found: `${dataDir}: ${dataDirTrouble}`,
    why: 'the Redis of syncline up and the clones of Git repositories are kept there',
    advice: 'set SYNCLINE_DATA_DIR to a directory that the process may write to',
  });
}

function checkGit(version: string | undefined): Finding {
  const check = 'git';
  if (version === undefined) {
    return problem(check, {
      found: 'git is not installed',
      why: 'workers need it to read registries in Git repositories',
      advice: 'install git on every machine that runs workers',
    });
  }
  const parsed = semver.coerce(version);
  if (parsed !== null && semver.gte(parsed, LEAST_GIT)) return ok(check, version);
  return warning(check, {
    found: version,
    why: 'an older git may connect to addresses that were not checked',
    advice: `use git ${LEAST_GIT} or newer`,
  });
}

function checkSsh(version: string | undefined): Finding {
  if (version !== undefined) return ok('ssh', version);
  return problem('ssh', {
    found: 'ssh is not installed',
    why: 'git needs it for repositories with ssh addresses',
    advice: 'install an OpenSSH client on every machine that runs workers',
  });
}

function checkCredential({ path, registry, isSecret, state }: CredentialFacts): Finding {
  const check = `credential of ${registry}`;
  if (state.kind === 'unreadable') {
    return problem(check, {
      found: `${path}: ${state.reason}`,
      why: 'workers on this machine cannot read the registry without it',
      advice: 'create the file, readable for the user of the workers',
    });
  }
  const mode = (state.mode & 0o777).toString(8).padStart(3, '0');
  if (!isSecret || (state.mode & OTHERS_MAY_READ) === 0) return ok(check, `${path}, mode ${mode}`);
  return warning(check, {
    found: `${path} has mode ${mode}`,
    why: 'every user of this machine may read it',
    advice: `chmod o-rwx ${path}`,
  });
}

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
