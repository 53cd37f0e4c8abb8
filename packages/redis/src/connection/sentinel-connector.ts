import { Redis, type SentinelConnectionOptions, SentinelConnector } from 'ioredis';

/** Milliseconds to wait before reconnecting to an unreachable sentinel. */
const LISTEN_AGAIN_AFTER_MS = 2_000;
/** How long the previous primary may take to answer pending commands. */
const CLOSE_TIMEOUT_MS = 500;
const SWITCHED = '+switch-master';

type Connect = SentinelConnector['connect'];
type NetStream = Awaited<ReturnType<Connect>>;

/**
 * Asks sentinels for the primary. Leaves the primary when a sentinel announces another one, because a primary that
 * hangs or is cut off keeps its connections open.
 *
 * The `failoverDetector` of ioredis does the same, but has two faults. If it gets an announcement while it asks the
 * sentinels, it closes the connection for good. It also prints an error whenever a sentinel is unreachable.
 */
export class FollowingConnector extends SentinelConnector {
  #listeners: readonly Redis[] = [];
  #news: News | undefined;

  constructor(options: unknown) {
    // ioredis passes its own untyped options to every connector.
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
  }

  override async connect(...args: Parameters<Connect>): ReturnType<Connect> {
    if (this.#listeners.length === 0) this.#listen();
    // Starts after the sentinel that gave the wrong answer. ioredis does the same, but fails at the end of the list.
    this.sentinelIterator.next();
    this.sentinelIterator.reset(true);
    this.#news = undefined;
    const stream = await super.connect(...args);
    // A sentinel's announcement may be newer than the answer.
    stream.once('connect', () => this.#leaveOld());
    return stream;
  }

  override check(info: { role?: string }): boolean {
    const isPrimary = super.check(info);
    // Starts with this sentinel next time.
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
      // `subscribe` rejects after a disconnect. With `autoResubscribe`, ioredis would not catch this rejection.
      listener.on('ready', () => listener.subscribe(SWITCHED).catch(() => {}));
      return listener;
    });
  }

  /** Leaves the current primary if the last announcement names another one. */
  #leaveOld(): void {
    const { stream } = this;
    if (this.#news === undefined || stream === undefined) return;
    if (stream.destroyed || stream.connecting || isAt(stream, this.#news)) return;
    const timer = setTimeout(() => stream.destroy(), CLOSE_TIMEOUT_MS);
    stream.once('close', () => clearTimeout(timer));
    stream.end();
  }
}

type News = NonNullable<ReturnType<typeof readNews>>;

/** Parses `<name of the master> <host> <port> <new host> <new port>`. */
function readNews(message: string) {
  const [name, , , host, port] = message.split(' ');
  if (name === undefined || host === undefined || port === undefined) return undefined;
  return { name, host, port: Number(port) };
}

/** Also returns false if a sentinel announces a host name instead of an address. The connector then asks once more. */
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
    // The connector only listens to a sentinel.
    enableReadyCheck: false,
    maxRetriesPerRequest: null,
    retryStrategy: () => LISTEN_AGAIN_AFTER_MS,
  };
}
