import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lifetime } from '@syncline/test/support';

/**
 * The condition of a line between a process and a server. `cut`: connections break, and new connections are refused.
 * `delayed`: all bytes arrive later. `halved`: bytes from the process arrive, but nothing comes back. When this
 * condition ends, the bytes that were sent meanwhile arrive, as with TCP.
 */
export type Condition =
  | { readonly kind: 'open' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'delayed'; readonly byMs: number }
  | { readonly kind: 'halved' };

type Direction = 'there' | 'back';

/** The line from one process to one port. */
class Line {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Resolves when bytes can come back again. */
  #passable = Promise.withResolvers<void>();
  #condition: Condition = { kind: 'open' };

  readonly toPort: number;

  constructor(toPort: number) {
    this.toPort = toPort;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
    return address.port;
  }

  set(condition: Condition): void {
    this.#condition = condition;
    if (condition.kind === 'cut') this.#break();
    if (condition.kind === 'halved') return;
    this.#passable.resolve();
    this.#passable = Promise.withResolvers();
  }

  close(): void {
    this.#server.close();
    this.#break();
  }

  #break(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(near: Socket): void {
    if (this.#condition.kind === 'cut') {
      near.destroy();
      return;
    }
    const far = connect({ port: this.toPort, host: '127.0.0.1', noDelay: true });
    this.#join(near, far, 'there');
    this.#join(far, near, 'back');
  }

  #join(from: Socket, to: Socket, direction: Direction): void {
    this.#sockets.add(from);
    // Keeps the order of the bytes, whatever happens to the line meanwhile.
    let before = Promise.resolve();
    const pass = (act: () => void) => {
      const arrived = this.#arrival(direction);
      before = before.then(() => arrived()).then(act);
    };
    from.on('data', (bytes) => pass(() => void to.write(bytes)));
    from.on('end', () => pass(() => void to.end()));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      pass(() => void to.destroy());
    });
  }

  /** Returns a function that waits until a byte sent now has arrived. */
  #arrival(direction: Direction): () => Promise<void> | void {
    const condition = this.#condition;
    if (condition.kind === 'halved' && direction === 'back') {
      const { promise } = this.#passable;
      return () => promise;
    }
    if (condition.kind !== 'delayed') return () => {};
    const dueAtMs = performance.now() + condition.byMs;
    return () => sleep(Math.max(0, dueAtMs - performance.now()));
  }
}

/** The network of one process: a line to each port that the process uses. It exists as long as the harness. */
export class Network {
  readonly #lines: readonly Line[];
  /** For each port, the port where its line starts. */
  readonly detours: Readonly<Record<string, number>>;

  private constructor(lines: readonly Line[], detours: Readonly<Record<string, number>>) {
    this.#lines = lines;
    this.detours = detours;
  }

  static async create(ports: readonly number[], lifetime: Lifetime): Promise<Network> {
    const lines = ports.map((port) => new Line(port));
    const opened = await Promise.all(
      lines.map(async (line) => [String(line.toPort), await line.open()] as const),
    );
    lifetime.defer(() => {
      for (const line of lines) line.close();
    });
    return new Network(lines, Object.fromEntries(opened));
  }

  /** Sets the condition of the lines to these ports, from now on. */
  set(condition: Condition, ports: readonly number[]): void {
    for (const line of this.#lines) {
      if (ports.includes(line.toPort)) line.set(condition);
    }
  }
}
