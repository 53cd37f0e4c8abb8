import { Redis, type SentinelConnectionOptions, SentinelConnector } from 'ioredis';

/** How soon a sentinel is listened to again that was away. */
const LISTEN_AGAIN_AFTER_MS = 2_000;
/** What a primary that another one has taken over from is given for the answers that it owes. */
const CLOSE_TIMEOUT_MS = 500;
const SWITCHED = '+switch-master';

type Connect = SentinelConnector['connect'];
type NetStream = Awaited<ReturnType<Connect>>;

/**
 * Asks sentinels for the primary, and leaves it when one of them says that another one has taken over: a
 * primary that hangs, or is cut off from the others, keeps its connections.
 *
 * The `failoverDetector` of ioredis does the latter too. But it takes news that comes while the sentinels
 * are asked for the wish to be closed, and the connection never comes back; and it prints an error each
 * time that it finds a sentinel away.
 */
export class FollowingConnector extends SentinelConnector {
  #listeners: readonly Redis[] = [];
  #news: News | undefined;

  constructor(options: unknown) {
    // Those that ioredis was made with: it gives them to whatever connector there is, and so has no type for them.
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
  }

  override async connect(...args: Parameters<Connect>): ReturnType<Connect> {
    if (this.#listeners.length === 0) this.#listen();
    // Begins after the sentinel whose answer led nowhere. ioredis would go on behind it as well, but at the
    // end of the list say that none can be reached.
    this.sentinelIterator.next();
    this.sentinelIterator.reset(true);
    this.#news = undefined;
    const stream = await super.connect(...args);
    // What was answered may be older than what has been heard meanwhile.
    stream.once('connect', () => this.#leaveOld());
    return stream;
  }

  override check(info: { role?: string }): boolean {
    const isPrimary = super.check(info);
    // The next time, begin with the sentinel that was right.
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
      // Rejected where it is disconnected before. ioredis, which would subscribe again by itself, lets nobody catch that.
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

/** False also where a sentinel speaks of names instead of addresses; asking once more does no harm. */
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
    // A sentinel is asked for no more than its news.
    enableReadyCheck: false,
    maxRetriesPerRequest: null,
    retryStrategy: () => LISTEN_AGAIN_AFTER_MS,
  };
}
