import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RegistryConfig, SynclineError, sha256 } from '@syncline/contract';
import { readCredentialFile, unreadableCredential } from '../../credentials/credentials.ts';

/**
 * Returns the authorities that this process trusts: Node's own, those of `NODE_EXTRA_CA_CERTS`, and those of
 * the system. Git by itself would trust only the last.
 */
export function trustedCertificates(): string[] {
  // An `import` of the module would read all its exports, Node's list of authorities among them: 30 ms.
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/** A file of trusted authorities. Git accepts only one, and then trusts no other. */
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
    await mkdir(this.#directory, { recursive: true });
    const fresh = `${path}.${process.pid}`;
    await writeFile(fresh, text);
    await rename(fresh, path);
    return path;
  }
}

export type GitAuth = NonNullable<NonNullable<RegistryConfig['git']>['auth']>;

/** Keys of 16,384 bits fit. */
const MAX_CREDENTIAL_BYTES = 32 * 1024;
const LIMITS = {
  maxBytes: MAX_CREDENTIAL_BYTES,
  advice: 'Put a password in one line, or a private key, into it',
};

/**
 * Reads the password of a login. It is read for each call, so a new one takes effect at once.
 *
 * @throws SynclineError `source-credential-unreadable`, which names the file and never shows its content
 */
export async function readPassword(auth: GitAuth | undefined) {
  const { username, passwordFile } = auth ?? {};
  if (username === undefined || passwordFile === undefined) return undefined;
  if (/\p{Cc}/u.test(username)) {
    const what = 'git.auth.username has control characters. Remove them';
    throw new SynclineError('source-credential-unreadable', what);
  }
  const password = await readCredentialFile(passwordFile, LIMITS);
  if (/\p{Cc}/u.test(password)) {
    throw unreadableCredential(passwordFile, 'it has more than one line', LIMITS);
  }
  return { username, password };
}

/** Checks that a file can be read, because ssh says little about a key that it cannot read. */
export async function checkCredentialFile(path: string): Promise<void> {
  await readCredentialFile(path, LIMITS);
}

const SSH_PORT = 22;

/** No config of the user, no prompts, no unknown hosts, and no command but the one of git. */
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
  // Ends the connection to a dead server, even if the worker has died too.
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
 * Returns the variables that set git's ssh command. A shell runs that command, so it contains no text from
 * outside: the shell inserts variables verbatim.
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
    // The name in known_hosts files, independent of the present address.
    SYNCLINE_SSH_HOST_KEY_ALIAS: port === SSH_PORT ? host : `[${host}]:${port}`,
    ...(sshKeyFile === undefined ? {} : { SYNCLINE_SSH_KEY_FILE: sshPath(sshKeyFile) }),
    ...(knownHostsFile === undefined
      ? {}
      : { SYNCLINE_SSH_KNOWN_HOSTS_FILE: sshPath(knownHostsFile) }),
  };
}

/** Quotes a path for ssh, and escapes the signs that ssh would expand. */
function sshPath(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
