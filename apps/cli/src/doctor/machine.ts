import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type RegistryConfig, sourcePaths } from '@syncline/contract';
import { isGitRecent, LEAST_GIT_VERSION } from '@syncline/sources';
import { type Finding, problem, type Result, toFinding, warning } from './finding.ts';

const run = promisify(execFile);
const PROGRAM_TIMEOUT_MS = 5_000;
const OTHERS_MAY_READ = 0o004;

/**
 * Checks whether workers on this machine have all directories, programs and credential files that
 * these registries need.
 */
export async function checkMachine(
  dataDir: string,
  registries: readonly RegistryConfig[],
): Promise<Finding[]> {
  const repositories = registries.flatMap(({ git }) => git?.repository ?? []);
  const isSsh = repositories.some((it) => it.startsWith('ssh://') || /^[^/]+:(?!\/\/)/.test(it));
  const credentials = registries.flatMap((registry) =>
    sourcePaths(registry)
      .filter(({ use }) => use !== 'registry')
      .map((file) => ({ ...file, check: `credential of ${registry.name}` })),
  );
  return Promise.all([
    toFinding('data directory', await checkDataDir(dataDir)),
    ...(repositories.length > 0
      ? [toFinding('git', checkGit(await askVersion('git', '--version')))]
      : []),
    ...(isSsh ? [toFinding('ssh', checkSsh(await askVersion('ssh', '-V')))] : []),
    ...credentials.map(async ({ check, path, use }) =>
      toFinding(check, await checkCredential(path, { isSecret: use === 'secret' })),
    ),
  ]);
}

export async function checkDataDir(dataDir: string): Promise<Result> {
  const reason = await whyUnwritable(dataDir);
  if (reason === undefined) return `${dataDir} is writable`;
  return problem({
    found: `${dataDir}: ${reason}`,
    why: '`syncline up` stores its Redis data in this directory, and workers store clones of Git repositories',
    advice: 'Set SYNCLINE_DATA_DIR to a writable directory.',
  });
}

/**
 * Returns why a directory is not writable, or `undefined` if it is writable. For a missing
 * directory, checks the nearest existing parent, in which it would be created.
 */
async function whyUnwritable(directory: string): Promise<string | undefined> {
  for (let path = resolve(directory); ; path = dirname(path)) {
    try {
      if (!(await stat(path)).isDirectory()) return `${path} is not a directory`;
      await access(path, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') return `${path} is not writable (${codeOf(error)})`;
    }
  }
}

export function checkGit(version: string | undefined): Result {
  if (version === undefined) {
    return problem({
      found: 'git is not installed',
      why: 'workers need git to read registries in Git repositories',
      advice: 'Install git on every machine that runs workers.',
    });
  }
  if (isGitRecent(version)) return version;
  return problem({
    found: version,
    why: 'workers refuse this Git version, because a hostile repository could read files or run programs',
    advice: `Install git ${LEAST_GIT_VERSION} or newer on every machine that runs workers.`,
  });
}

export function checkSsh(version: string | undefined): Result {
  if (version !== undefined) return version;
  return problem({
    found: 'ssh is not installed',
    why: 'git needs ssh to read repositories over ssh',
    advice: 'Install an OpenSSH client on every machine that runs workers.',
  });
}

/**
 * Returns the first line that a program prints about its version, or `undefined` if the program
 * cannot be run.
 */
async function askVersion(program: string, option: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(program, [option], { timeout: PROGRAM_TIMEOUT_MS });
    return (stdout || stderr).split('\n')[0]?.trim();
  } catch {
    return undefined;
  }
}

/** Checks a credential file without reading its content. */
async function checkCredential(
  path: string,
  { isSecret }: { readonly isSecret: boolean },
): Promise<Result> {
  try {
    await access(path, constants.R_OK);
    const mode = (await stat(path)).mode & 0o777;
    const shown = mode.toString(8).padStart(3, '0');
    if (!isSecret || (mode & OTHERS_MAY_READ) === 0) return `${path}, mode ${shown}`;
    return warning({
      found: `${path} has mode ${shown}`,
      why: 'every user of this machine can read the credential',
      advice: `chmod o-rwx ${path}`,
    });
  } catch (error) {
    const code = codeOf(error);
    const reason =
      code === 'ENOENT' ? 'the file does not exist' : `the file cannot be read (${code})`;
    return problem({
      found: `${path}: ${reason}`,
      why: 'workers on this machine cannot read the registry without the credential',
      advice: 'Create the file, and give read permission to the system account of the workers.',
    });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
