import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SynclineError } from '@syncline/contract';
import type { CredentialDirs } from '../../credentials/credential-dirs.ts';
import type { ConnectionGuard } from '../../network/address-guard.ts';
import {
  type CertificateBundle,
  checkCredentialFile,
  type GitAuth,
  readPassword,
  sshCommand,
} from './access.ts';
import type { Repository } from './repository.ts';

/** The settings that let git reach one repository, and nothing else. */
export interface Route {
  /** The host name that the request budgets use. `undefined` for a repository on this machine. */
  readonly host?: string;
  /** Git arguments to put before the command. */
  readonly config: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The login for {@link GitCommand.credential}. */
  readonly credential?: string | undefined;
  /** Secret texts that messages must not contain. */
  readonly secrets: readonly string[];
  /** The password, alone and in the login that the server gets. */
  readonly credentials: readonly string[];
}

export interface RouteOptions {
  readonly guard: ConnectionGuard;
  /** Returns the proxy for a target. The operator chooses the proxy, so its address is not checked. */
  readonly proxyFor: (target: URL) => string | undefined;
  readonly certificates: CertificateBundle;
  readonly credentialDirs: CredentialDirs;
  /** Throws if the installed git is missing, or too old to be safe. */
  readonly requireRecentGit: () => Promise<void>;
}

/**
 * A shell function that prints the credential from descriptor 3 and ignores its arguments. Only git and its child
 * processes have that descriptor.
 */
const CREDENTIAL_HELPER = '!f() { cat <&3; }; f';

const LOCAL_CONFIG = fileURLToPath(new URL('./local.gitconfig', import.meta.url));

/**
 * Resolves and checks the host of a repository, and reads the login.
 *
 * @throws SynclineError `source-address-refused`, `source-unreachable`, `source-credential-unreadable`,
 *   `source-credential-refused`, `source-git-failed` if git is missing or too old
 */
export async function findRoute(
  repository: Repository,
  auth: GitAuth | undefined,
  options: RouteOptions,
): Promise<Route> {
  await options.requireRecentGit();
  if (repository.transport === 'ssh') return sshRoute(repository, auth, options);
  if (repository.transport !== 'file') return httpRoute(repository, auth, options);
  const env = { GIT_ALLOW_PROTOCOL: 'file', GIT_CONFIG_GLOBAL: LOCAL_CONFIG };
  return { config: remote(repository.location), env, secrets: [], credentials: [] };
}

function remote(url: string): string[] {
  return ['-c', `remote.origin.url=${url}`];
}

async function sshRoute(
  { location, host, port }: Repository & { transport: 'ssh' },
  auth: GitAuth | undefined,
  { guard, credentialDirs }: RouteOptions,
): Promise<Route> {
  const [first] = await guard.resolve(host);
  if (first === undefined)
    throw new SynclineError(
      'source-unreachable',
      `cannot resolve ${host}: DNS returned no address`,
    );
  const check = async (path: string | undefined) =>
    path === undefined ? undefined : await checkCredentialFile(path, credentialDirs);
  const files = {
    sshKeyFile: await check(auth?.sshKeyFile),
    knownHostsFile: await check(auth?.knownHostsFile),
  };
  return {
    host,
    config: remote(location),
    env: {
      GIT_ALLOW_PROTOCOL: 'ssh',
      ...sshCommand({ host, port, address: first.address, files }),
    },
    secrets: [],
    credentials: [],
  };
}

async function httpRoute(
  { transport, url }: Repository & { transport: 'http' | 'https' },
  auth: GitAuth | undefined,
  options: RouteOptions,
): Promise<Route> {
  const proxy = options.proxyFor(url);
  const [pins, login, certificates] = await Promise.all([
    proxy === undefined ? pinAddresses(url, options) : checkBehindProxy(url, options.guard),
    readPassword(auth, options.credentialDirs),
    transport === 'https' ? options.certificates.path() : undefined,
  ]);
  const settings = [
    'http.followRedirects=false',
    // An empty value removes all other credential helpers.
    'credential.helper=',
    ...(login === undefined ? [] : [`credential.helper=${CREDENTIAL_HELPER}`]),
    ...(certificates === undefined ? [] : [`http.sslCAInfo=${certificates}`]),
    ...pins,
  ];
  const { username = '', password = '' } = login ?? {};
  return {
    host: url.hostname,
    config: [...remote(url.href), ...settings.flatMap((setting) => ['-c', setting])],
    env: {
      GIT_ALLOW_PROTOCOL: transport,
      // The URL of the proxy may contain a password. Every user of the machine can read arguments, but not
      // variables.
      ...(proxy === undefined ? {} : { [`${transport}_proxy`]: proxy }),
    },
    credential: login && `username=${username}\npassword=${password}\n`,
    credentials: login === undefined ? [] : [password, `${username}:${password}`],
    secrets: [password, encodeURIComponent(password), ...secretsOf(proxy)].filter(Boolean),
  };
}

function secretsOf(proxy: string | undefined): string[] {
  const password = URL.parse(proxy ?? '')?.password ?? '';
  return [password, decodeURIComponent(password)];
}

/** Returns settings that make git connect only to the checked addresses, without a name lookup by git itself. */
async function pinAddresses(url: URL, { guard }: RouteOptions): Promise<readonly string[]> {
  const addresses = await guard.resolve(url.hostname);
  const isAddress = url.hostname.startsWith('[') || addresses[0]?.address === url.hostname;
  if (isAddress) return [];
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port;
  const list = addresses.map(({ address, family }) => (family === 6 ? `[${address}]` : address));
  return [`http.curloptResolve=${url.hostname}:${port}:${list.join(',')}`];
}

/**
 * Checks the addresses of a host if its name resolves on this machine. Otherwise only the proxy knows the
 * addresses.
 */
async function checkBehindProxy(url: URL, guard: ConnectionGuard): Promise<readonly string[]> {
  try {
    await guard.resolve(url.hostname);
  } catch (error) {
    const isUnknown = error instanceof SynclineError && error.code === 'source-unreachable';
    if (!isUnknown) throw error;
  }
  return [];
}

/** Returns the environment of every git command: it has no config of the user or the system, and no prompts. */
export function baseEnv({ root, searchPath }: { root: string; searchPath: string }) {
  const home = join(root, 'home');
  return {
    PATH: searchPath,
    HOME: home,
    XDG_CONFIG_HOME: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    // Allows no protocol by default. Each route allows its own protocol.
    GIT_ALLOW_PROTOCOL: '',
    GIT_TERMINAL_PROMPT: '0',
    // Empty values: git and ssh start no program that prompts for a password.
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    SSH_ASKPASS_REQUIRE: 'never',
  };
}
