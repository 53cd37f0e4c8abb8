import semver from 'semver';
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
