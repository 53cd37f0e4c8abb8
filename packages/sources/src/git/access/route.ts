import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SynclineError } from '@syncline/contract';
import type { AddressGuard } from '../../network/address-guard.ts';
import {
  type CertificateBundle,
  checkCredentialFile,
  type GitAuth,
  readPassword,
  sshCommand,
} from './access.ts';
import type { Repository } from './repository.ts';

/** How git gets to a repository: by nothing else, and to nowhere else. */
export interface Route {
  /** The host that is asked, as budgets name it; none where the repository is on this machine. */
  readonly host?: string;
  /** Arguments that come before the command. */
  readonly config: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** For {@link GitCommand.credential}. */
  readonly credential?: string | undefined;
  /** What must not be shown, whatever git says. */
  readonly secrets: readonly string[];
}

export interface RouteOptions {
  readonly guard: AddressGuard;
  /** The proxy for a target, from the environment; its own address is the operator's choice. */
  readonly proxyFor: (target: URL) => string | undefined;
  readonly certificates: CertificateBundle;
  /** Whether git can be held to the addresses that were checked. */
  readonly pinsAddresses: () => Promise<boolean>;
}

/** Reads the file descriptor that only git and what it starts have; it takes no argument to heart. */
const CREDENTIAL_HELPER = '!f() { cat <&3; }; f';

const LOCAL_CONFIG = fileURLToPath(new URL('./local.gitconfig', import.meta.url));

/**
 * Resolves and checks the host of a repository, and reads the login.
 *
 * @throws SynclineError `source-address-refused`, `source-unreachable`, `source-credential-unreadable`
 */
export async function findRoute(
  repository: Repository,
  auth: GitAuth | undefined,
  options: RouteOptions,
): Promise<Route> {
  switch (repository.transport) {
    case 'file':
      return {
        config: remote(repository.location),
        env: { GIT_ALLOW_PROTOCOL: 'file', GIT_CONFIG_GLOBAL: LOCAL_CONFIG },
        secrets: [],
      };
    case 'ssh':
      return sshRoute(repository, auth, options);
    case 'http':
    case 'https':
      return httpRoute(repository, auth, options);
  }
}

function remote(url: string): string[] {
  return ['-c', `remote.origin.url=${url}`];
}

async function sshRoute(
  { location, host, port }: Repository & { transport: 'ssh' },
  auth: GitAuth | undefined,
  { guard }: RouteOptions,
): Promise<Route> {
  const [first] = await guard.resolve(host);
  if (first === undefined) throw new SynclineError('source-unreachable', `cannot resolve ${host}`);
  if (auth?.sshKeyFile !== undefined) await checkCredentialFile(auth.sshKeyFile);
  if (auth?.knownHostsFile !== undefined) await checkCredentialFile(auth.knownHostsFile);
  return {
    host,
    config: remote(location),
    env: { GIT_ALLOW_PROTOCOL: 'ssh', ...sshCommand({ host, port, address: first.address, auth }) },
    secrets: [],
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
    readPassword(auth),
    transport === 'https' ? options.certificates.path() : undefined,
  ]);
  const settings = [
    'http.followRedirects=false',
    ...pins,
    ...(certificates === undefined ? [] : [`http.sslCAInfo=${certificates}`]),
    ...(login === undefined
      ? []
      : ['credential.helper=', `credential.helper=${CREDENTIAL_HELPER}`]),
  ];
  return {
    host: url.hostname,
    config: [...remote(url.href), ...settings.flatMap((setting) => ['-c', setting])],
    env: {
      GIT_ALLOW_PROTOCOL: transport,
      // Not by an argument, which everybody on the machine could read: it may carry a password.
      ...(proxy === undefined ? {} : { [`${transport}_proxy`]: proxy }),
    },
    ...(login === undefined
      ? { secrets: secretsOf(proxy) }
      : {
          credential: `username=${login.username}\npassword=${login.password}\n`,
          secrets: [login.password, encodeURIComponent(login.password), ...secretsOf(proxy)],
        }),
  };
}

function secretsOf(proxy: string | undefined): string[] {
  const password = URL.parse(proxy ?? '')?.password ?? '';
  return password === '' ? [] : [password, decodeURIComponent(password)];
}

/** Has git connect to the addresses that were checked, and look up none by itself. */
async function pinAddresses(
  url: URL,
  { guard, pinsAddresses }: RouteOptions,
): Promise<readonly string[]> {
  const addresses = await guard.resolve(url.hostname);
  const isAddress = url.hostname.startsWith('[') || addresses[0]?.address === url.hostname;
  if (isAddress) return [];
  if (!(await pinsAddresses())) {
    throw new SynclineError('source-git-failed', 'this git would look up addresses by itself', {
      expected: 'git 2.37 or later where the worker runs',
    });
  }
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port;
  const list = addresses.map(({ address, family }) => (family === 6 ? `[${address}]` : address));
  return [`http.curloptResolve=${url.hostname}:${port}:${list.join(',')}`];
}

/** What resolves here is checked; what does not, only the proxy can know. */
async function checkBehindProxy(url: URL, guard: AddressGuard): Promise<readonly string[]> {
  try {
    await guard.resolve(url.hostname);
  } catch (error) {
    const isUnknown = error instanceof SynclineError && error.code === 'source-unreachable';
    if (!isUnknown) throw error;
  }
  return [];
}

/** What every call of git is given: nothing of the user's or the system's config, and no prompt. */
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
    // No protocol, until a route says which.
    GIT_ALLOW_PROTOCOL: '',
    GIT_TERMINAL_PROMPT: '0',
    // Empty: no program that asks, also not one of ssh's.
    GIT_ASKPASS: '',
    SSH_ASKPASS: '',
    SSH_ASKPASS_REQUIRE: 'never',
  };
}
