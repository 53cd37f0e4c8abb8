import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { SEARCH_PATH } from './search-path.ts';

const { Server, utils } = ssh2;

export interface GitSshServer {
  readonly port: number;
  /** The commands that clients have requested. */
  readonly commands: readonly string[];
  /** A private key that the server accepts. */
  readonly keyFile: string;
  /** A private key that the server rejects. */
  readonly otherKeyFile: string;
  /** The public key of the server. */
  readonly hostKey: string;
  readonly knownHostsFile: string;
  /** A known_hosts file with a wrong key for the server. */
  readonly wrongKnownHostsFile: string;
  readonly directory: string;
  close(): Promise<void>;
}

/** Serves repositories by their absolute paths with `git-upload-pack`, on the loopback address. */
export async function startGitSshServer(): Promise<GitSshServer> {
  const [host, otherHost, user, otherUser] = [newKey(), newKey(), newKey(), newKey()];
  const allowed = utils.parseKey(user.public);
  if (allowed instanceof Error) throw allowed;
  const commands: string[] = [];
  const server = new Server({ hostKeys: [host.private] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (attempt) => {
      const isAllowed =
        attempt.method === 'publickey' && attempt.key.data.equals(allowed.getPublicSSH());
      if (!isAllowed) return attempt.reject(['publickey']);
      const { signature, blob } = attempt;
      if (signature === undefined || blob === undefined) return attempt.accept();
      if (allowed.verify(blob, signature, attempt.hashAlgo) === true) attempt.accept();
      else attempt.reject();
    });
    client.on('session', (accept) => {
      let protocol = '';
      const session = accept();
      session.on('env', (acceptEnv, _reject, { key, val }) => {
        if (key === 'GIT_PROTOCOL') protocol = val;
        acceptEnv?.();
      });
      session.on('exec', (acceptExec, _reject, { command }) => {
        commands.push(command);
        serve(command, protocol, acceptExec());
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  const { port } = address;
  // The space in the name checks that commands quote it.
  const directory = await mkdtemp(join(tmpdir(), 'syncline ssh-'));
  const write = async (name: string, text: string) => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  return {
    port,
    commands,
    directory,
    hostKey: host.public,
    keyFile: await write('key', user.private),
    otherKeyFile: await write('other key', otherUser.private),
    knownHostsFile: await write('known hosts', `[127.0.0.1]:${port} ${host.public}\n`),
    wrongKnownHostsFile: await write('wrong hosts', `[127.0.0.1]:${port} ${otherHost.public}\n`),
    close: async () => {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function newKey() {
  // `generateKeyPairSync` sometimes makes a key that `parseKey` cannot read.
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519');
    const parts = [utils.parseKey(pair.public), utils.parseKey(pair.private)];
    if (!parts.some((part) => part instanceof Error)) return pair;
  }
}

function serve(command: string, protocol: string, stream: ssh2.ServerChannel): void {
  const path = /^git-upload-pack '([^']+)'$/.exec(command)?.[1];
  if (path === undefined) {
    stream.exit(127);
    stream.end();
    return;
  }
  const pack = spawn('git', ['upload-pack', path], {
    env: {
      PATH: SEARCH_PATH,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROTOCOL: protocol,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  pack.stdin.on('error', () => {});
  stream.pipe(pack.stdin);
  pack.stdout.pipe(stream, { end: false });
  pack.stderr.pipe(stream.stderr, { end: false });
  pack.on('close', (code) => {
    stream.exit(code ?? 1);
    stream.end();
  });
}
