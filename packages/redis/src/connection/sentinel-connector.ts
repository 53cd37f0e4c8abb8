import { Redis, type SentinelConnectionOptions, SentinelConnector } from 'ioredis';

/** How soon to reconnect to a sentinel that was away. */
const LISTEN_AGAIN_AFTER_MS = 2_000;
/** How long the previous primary has to answer pending commands. */
const CLOSE_TIMEOUT_MS = 500;
const SWITCHED = '+switch-master';

type Connect = SentinelConnector['connect'];
type NetStream = Awaited<ReturnType<Connect>>;

/**
 * Asks sentinels for the primary. Leaves a primary when a sentinel announces another one, because a primary that hangs or
 * is cut off keeps its connections.
 *
 * The `failoverDetector` of ioredis also does this. But if it gets news while it asks the sentinels, it closes the
 * connection for good. It also prints an error each time that a sentinel is away.
 */
export class FollowingConnector extends SentinelConnector {
  #listeners: readonly Redis[] = [];
  #news: News | undefined;

  constructor(options: unknown) {
    // ioredis passes its own options to any connector, so they have no type.
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
  }

  override async connect(...args: Parameters<Connect>): ReturnType<Connect> {
    if (this.#listeners.length === 0) this.#listen();
    // Begins after the sentinel whose answer was wrong. ioredis would do so too, but fail at the end of the list.
    this.sentinelIterator.next();
    this.sentinelIterator.reset(true);
    this.#news = undefined;
    const stream = await super.connect(...args);
    // The answer may be older than the news that came meanwhile.
    stream.once('connect', () => this.#leaveOld());
    return stream;
  }

  override check(info: { role?: string }): boolean {
    const isPrimary = super.check(info);
    // The next time, begin with this sentinel.
    if (isPrimary) this.sentinelIterator.reset(true);
    return isPrimary;
  }

  override disconnect(): void {
    super.disconnect();
    for (const listener of this.#listeners) listener.disconnect();
    this.#listeners = [];
  }

  #listen(): void {
    const { sentinels = [], name } = this.options;
    this.#listeners = sentinels.map((address) => {
      const listener = new Redis({ ...address, ...listenerOptions(this.options) });
      listener.on('error', () => {});
      listener.on('message', (_channel, message) => {
        const news = readNews(message);
        if (news?.name !== name) return;
        this.#news = news;
        this.#leaveOld();
      });
      // It rejects if it is disconnected before. `autoResubscribe` of ioredis would leave that rejection uncaught.
      listener.on('ready', () => listener.subscribe(SWITCHED).catch(() => {}));
      return listener;
    });
  }

  /** Leaves the primary, unless it is the one that was announced last. */
  #leaveOld(): void {
    const { stream } = this;
    if (this.#news === undefined || stream === undefined) return;
    if (stream.destroyed || stream.connecting || isAt(stream, this.#news)) return;
    const timer = setTimeout(() => stream.destroy(), CLOSE_TIMEOUT_MS);
    stream.once('close', () => clearTimeout(timer));
    stream.end();
  }
}

interface News {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** `<name of the master> <host> <port> <new host> <new port>` */
function readNews(message: string): News | undefined {
  const [name, , , host, port] = message.split(' ');
  if (name === undefined || host === undefined || port === undefined) return undefined;
  return { name, host, port: Number(port) };
}

/** Returns false also if a sentinel uses names instead of addresses. Then the connector asks once more. */
function isAt({ remoteAddress, remotePort }: NetStream, { host, port }: News): boolean {
  return remotePort === port && remoteAddress?.replace(/^::ffff:/, '') === host;
}

function listenerOptions(options: SentinelConnectionOptions) {
  const { sentinelUsername, sentinelPassword, sentinelTLS, connectTimeout } = options;
  return {
    ...(sentinelUsername === undefined ? {} : { username: sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
    connectTimeout,
    autoResubscribe: false,
    // A sentinel is only listened to.
    enableReadyCheck: false,
    maxRetriesPerRequest: null,
    retryStrategy: () => LISTEN_AGAIN_AFTER_MS,
  };
}
