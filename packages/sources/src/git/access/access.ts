import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RegistryConfig, SynclineError, sha256 } from '@syncline/contract';
import { type CredentialDirs, findCredentialFile } from '../../credentials/credential-dirs.ts';
import { readCredentialFile, unreadableCredential } from '../../credentials/credentials.ts';

/**
 * Returns the certificate authorities that this process trusts: the authorities of Node, of
 * `NODE_EXTRA_CA_CERTS`, and of the system. By default, git trusts only the authorities of the system.
 */
export function trustedCertificates(): string[] {
  // An `import` of `node:tls` would read all of its exports, including Node's list of authorities, which
  // takes 30 ms.
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/**
 * A file of trusted certificate authorities. Git accepts only one such file, and then trusts only the
 * authorities in it.
 */
export class CertificateBundle {
  readonly #directory: string;
  readonly #certificates: () => readonly string[];
  #text: string | undefined;

  constructor(directory: string, certificates: () => readonly string[] = trustedCertificates) {
    this.#directory = directory;
    this.#certificates = certificates;
  }

  /** Returns the path of the file, and writes the file if it is missing. */
  async path(): Promise<string> {
    this.#text ??= `${this.#certificates().join('\n')}\n`;
    const text = this.#text;
    const path = join(this.#directory, `certificates-${sha256(text).slice(0, 16)}.pem`);
    const size = await stat(path).then(
      (stats) => stats.size,
      () => undefined,
    );
    if (size === Buffer.byteLength(text)) return path;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const fresh = `${path}.${process.pid}`;
    await writeFile(fresh, text);
    await rename(fresh, path);
    return path;
  }
}

export type GitAuth = NonNullable<NonNullable<RegistryConfig['git']>['auth']>;

/** This limit permits keys of up to 16,384 bits. */
const MAX_CREDENTIAL_BYTES = 32 * 1024;
const LIMITS = {
  maxBytes: MAX_CREDENTIAL_BYTES,
  advice: 'Put a private key, or a password in one line, into the file',
};

/**
 * Reads the password of a login. Each call reads the file again, so a new password takes effect at once.
 *
 * @throws SynclineError `source-credential-unreadable`, which names the file and never shows its content
 */
export async function readPassword(auth: GitAuth | undefined, dirs?: CredentialDirs) {
  const { username, passwordFile } = auth ?? {};
  if (username === undefined || passwordFile === undefined) return undefined;
  if (/\p{Cc}/u.test(username)) {
    const what = 'git.auth.username has control characters. Remove these characters';
    throw new SynclineError('source-credential-unreadable', what);
  }
  const password = await readCredentialFile(passwordFile, { ...LIMITS, dirs });
  if (/\p{Cc}/u.test(password)) {
    throw unreadableCredential(passwordFile, 'the file has more than one line', LIMITS);
  }
  return { username, password };
}

/**
 * Checks that the process can and may read a file, and returns its path without links. If ssh cannot read a key, the
 * message of ssh does not explain the reason.
 */
export async function checkCredentialFile(path: string, dirs?: CredentialDirs): Promise<string> {
  await readCredentialFile(path, { ...LIMITS, dirs });
  return findCredentialFile(path, dirs);
}

const SSH_PORT = 22;

/** Disables the user's config, prompts, unknown hosts, and all commands except git's own. */
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
  // Closes the connection to a server that no longer responds, even if the worker has ended.
  'ServerAliveInterval=15',
  'ServerAliveCountMax=4',
] as const;

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  /** The address to connect to, which the address guard has checked. */
  readonly address: string;
  readonly files: {
    readonly sshKeyFile: string | undefined;
    readonly knownHostsFile: string | undefined;
  };
}

/**
 * Returns the variables that set git's ssh command. A shell runs that command, so the command contains no
 * external text. External text is only in variables, which the shell inserts verbatim.
 */
export function sshCommand({ host, port, address, files }: SshTarget): Record<string, string> {
  const { sshKeyFile, knownHostsFile } = files;
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
    // The name of the host in known_hosts files. It does not depend on the current address of the host.
    SYNCLINE_SSH_HOST_KEY_ALIAS: port === SSH_PORT ? host : `[${host}]:${port}`,
    ...(sshKeyFile === undefined ? {} : { SYNCLINE_SSH_KEY_FILE: sshPath(sshKeyFile) }),
    ...(knownHostsFile === undefined
      ? {}
      : { SYNCLINE_SSH_KNOWN_HOSTS_FILE: sshPath(knownHostsFile) }),
  };
}

/** Quotes a path for ssh, and escapes the characters that ssh would expand. */
function sshPath(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
