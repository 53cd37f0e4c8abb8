import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RegistryConfig, SynclineError, sha256 } from '@syncline/contract';
import { readCredentialFile, unreadableCredential } from '../../credentials/credentials.ts';

/**
 * Every authority that this process trusts: Node's own, those of `NODE_EXTRA_CA_CERTS`, and those of the
 * system, which git would go by alone.
 */
export function trustedCertificates(): string[] {
  // An `import` of the module would read all its exports, Node's list of authorities among them: 30 ms.
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/** The one file of authorities that git can be given: it takes that for all there are. */
export class CertificateBundle {
  readonly #directory: string;
  readonly #certificates: () => readonly string[];
  #bundle: { readonly path: string; readonly text: string } | undefined;

  constructor(directory: string, certificates: () => readonly string[] = trustedCertificates) {
    this.#directory = directory;
    this.#certificates = certificates;
  }

  /** The file; written anew where it has been deleted. */
  async path(): Promise<string> {
    this.#bundle ??= this.#collect();
    const { path, text } = this.#bundle;
    const size = await stat(path).then(
      (stats) => stats.size,
      () => undefined,
    );
    if (size === Buffer.byteLength(text)) return path;
    await mkdir(this.#directory, { recursive: true });
    const fresh = `${path}.${process.pid}`;
    await writeFile(fresh, text);
    await rename(fresh, path);
    return path;
  }

  #collect() {
    const text = `${this.#certificates().join('\n')}\n`;
    return { path: join(this.#directory, `certificates-${sha256(text).slice(0, 16)}.pem`), text };
  }
}

export type GitAuth = NonNullable<NonNullable<RegistryConfig['git']>['auth']>;

/** Keys of 16,384 bits fit. */
const MAX_CREDENTIAL_BYTES = 32 * 1024;
const LIMITS = {
  maxBytes: MAX_CREDENTIAL_BYTES,
  expected: 'a password in one line, or a private key',
};

/** What a user logs in with over http. */
export interface PasswordCredential {
  readonly username: string;
  readonly password: string;
}

/**
 * Reads the password of a login, now, so that a new one counts from the next call on.
 *
 * @throws SynclineError `source-credential-unreadable`, which names the file and never what is in it
 */
export async function readPassword(
  auth: GitAuth | undefined,
): Promise<PasswordCredential | undefined> {
  const { username, passwordFile } = auth ?? {};
  if (username === undefined || passwordFile === undefined) return undefined;
  if (/\p{Cc}/u.test(username)) {
    throw new SynclineError(
      'source-credential-unreadable',
      'the user’s name has control characters',
    );
  }
  const password = await readCredentialFile(passwordFile, LIMITS);
  if (/\p{Cc}/u.test(password)) {
    throw unreadableCredential(passwordFile, 'it holds more than one line', LIMITS);
  }
  return { username, password };
}

/** Sees to it that ssh, which says little about a key that it cannot read, will find one. */
export async function checkCredentialFile(path: string): Promise<void> {
  await readCredentialFile(path, LIMITS);
}

const SSH_PORT = 22;

/** No config of the user's, no questions, no host that is not known, nothing but the one command. */
const OPTIONS = [
  'BatchMode=yes',
  'StrictHostKeyChecking=yes',
  'UpdateHostKeys=no',
  'IdentitiesOnly=yes',
  'IdentityAgent=none',
  'ClearAllForwardings=yes',
  'PermitLocalCommand=no',
  'ProxyCommand=none',
  'ConnectTimeout=30',
  // A server that is gone is noticed, also when the worker is gone too.
  'ServerAliveInterval=15',
  'ServerAliveCountMax=4',
] as const;

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  /** The checked address to connect to. */
  readonly address: string;
  readonly auth: GitAuth | undefined;
}

/**
 * The variables that make git use ssh as we want it. Git hands the command to a shell, so its text is
 * always one of these few, and what differs is in variables that the shell puts in as they are.
 */
export function sshCommand({ host, port, address, auth }: SshTarget): Record<string, string> {
  const { sshKeyFile, knownHostsFile } = auth ?? {};
  const parts = [
    'ssh -F /dev/null -a -x -T',
    ...OPTIONS.map((option) => `-o ${option}`),
    '-o "HostName=$SYNCLINE_SSH_ADDRESS" -o "HostKeyAlias=$SYNCLINE_SSH_HOST_KEY_ALIAS"',
    ...(sshKeyFile === undefined ? [] : ['-o "IdentityFile=$SYNCLINE_SSH_KEY_FILE"']),
    ...(knownHostsFile === undefined
      ? []
      : [
          '-o "UserKnownHostsFile=$SYNCLINE_SSH_KNOWN_HOSTS_FILE" -o GlobalKnownHostsFile=/dev/null',
        ]),
  ];
  return {
    GIT_SSH_COMMAND: parts.join(' '),
    GIT_SSH_VARIANT: 'ssh',
    SYNCLINE_SSH_ADDRESS: address,
    // As known_hosts files have it, whatever address the host has today.
    SYNCLINE_SSH_HOST_KEY_ALIAS: port === SSH_PORT ? host : `[${host}]:${port}`,
    ...(sshKeyFile === undefined ? {} : { SYNCLINE_SSH_KEY_FILE: sshPath(sshKeyFile) }),
    ...(knownHostsFile === undefined
      ? {}
      : { SYNCLINE_SSH_KNOWN_HOSTS_FILE: sshPath(knownHostsFile) }),
  };
}

/** A path as ssh reads it: quoted, and without the signs that it would fill in. */
function sshPath(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
