import type { GitAuth } from './git-credential.ts';

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
