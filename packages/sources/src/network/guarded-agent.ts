import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Agent, buildConnector } from 'undici';
import type { ConnectionGuard } from './address-guard.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** The largest total size of all response headers. */
const MAX_HEADER_BYTES = 32 * 1024;

/**
 * The options of all connections. They allow only HTTP/1.1, because the tests cover only the limits
 * of HTTP/1.1.
 */
export const AGENT_OPTIONS = {
  allowH2: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
} as const;

interface OpenConnection {
  readonly socket: Socket;
  readonly address: string;
}

/**
 * Connects only to addresses that the guard permits, and keeps connections open for further
 * requests.
 */
export class GuardedAgent {
  readonly agent: Agent;
  readonly #guard: ConnectionGuard;
  readonly #open = new Map<string, Set<OpenConnection>>();

  constructor(guard: ConnectionGuard) {
    this.#guard = guard;
    const connect = buildConnector({
      allowH2: false,
      timeout: CONNECT_TIMEOUT_MS,
      lookup: guardedLookup(guard),
    });
    this.agent = new Agent({
      ...AGENT_OPTIONS,
      connect: (options, callback) => {
        this.#check(options.hostname)
          .then(() =>
            connect(options, (...result) => {
              const [error, socket] = result;
              if (error === null) this.#track(options.hostname, socket);
              callback(...result);
            }),
          )
          .catch((error) => callback(error, null));
      },
    });
  }

  /** Closes connections to a host whose addresses the config in force no longer permits. */
  closeForbidden(host: string): void {
    const name = host.replace(/^\[(.*)\]$/, '$1');
    for (const { socket, address } of this.#open.get(name) ?? []) {
      if (!this.#guard.permits(name, address)) socket.destroy();
    }
  }

  /** Checks a literal address, because connecting to it needs no lookup. */
  async #check(host: string): Promise<void> {
    if (isIP(host) !== 0) await this.#guard.resolve(host);
  }

  #track(host: string, socket: Socket): void {
    const connections = this.#open.get(host) ?? new Set();
    const connection = { socket, address: socket.remoteAddress ?? '' };
    this.#open.set(host, connections.add(connection));
    socket.once('close', () => {
      connections.delete(connection);
      if (connections.size === 0 && this.#open.get(host) === connections) this.#open.delete(host);
    });
  }
}

/**
 * Returns a lookup function that checks the same addresses that the connection uses. A second lookup
 * might return other addresses.
 */
function guardedLookup(guard: ConnectionGuard): LookupFunction {
  return (hostname, options, callback) => {
    guard.resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, first?.address ?? '', first?.family);
      },
      (error) => callback(error, ''),
    );
  };
}
