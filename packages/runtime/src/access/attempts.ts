import { type Clock, type Logger, SynclineError } from '@syncline/contract';

/** Counts attempts with wrong tokens for each client. Slows down and logs clients that fail. */
export interface Attempts {
  /** @throws SynclineError `too-many-attempts` if the client must wait before its next attempt */
  admit(client: string): void;
  failed(client: string): void;
  succeeded(client: string): void;
}

export interface AttemptsOptions {
  readonly logger: Pick<Logger, 'warn'>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** People mistype, and programs may send an old token after a rotation. */
const FREE_FAILURES = 10;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const FORGOTTEN_AFTER_MS = 15 * 60_000;
const LOG_EVERY_MS = 60_000;
const MOST_LINES = 20;
/** Bounds the memory. The clients that were quiet longest are forgotten first. */
const MOST_CLIENTS = 10_000;

interface ClientRecord {
  failures: number;
  waitUntilMs: number;
  lastAtMs: number;
  /** Attempts since the last line in the log. */
  unlogged: number;
  loggedAtMs: number;
}

export function createAttempts({ logger, clock }: AttemptsOptions): Attempts {
  const records = new Map<string, ClientRecord>();
  let logTimer: NodeJS.Timeout | undefined;
  /** The lines of this minute. */
  let lines = 0;

  const log = (client: string, record: ClientRecord, nowMs: number) => {
    lines += 1;
    logger.warn({ client, count: record.unlogged }, 'attempts with a wrong token');
    record.unlogged = 0;
    record.loggedAtMs = nowMs;
  };

  const logUnlogged = (nowMs: number) => {
    const others = { clients: 0, count: 0 };
    for (const [client, record] of records) {
      if (record.unlogged === 0) continue;
      if (lines < MOST_LINES) {
        log(client, record, nowMs);
      } else {
        others.clients += 1;
        others.count += record.unlogged;
        record.unlogged = 0;
      }
    }
    if (others.clients > 0) logger.warn(others, 'attempts with a wrong token by further clients');
  };

  const logLater = () => {
    if (logTimer !== undefined) return;
    logTimer = setTimeout(() => {
      logTimer = undefined;
      lines = 0;
      logUnlogged(clock.monotonic());
    }, LOG_EVERY_MS);
    logTimer.unref();
  };

  /**
   * Writes at most one line in a minute for each client: one at once, and then one with the count. An attacker with many
   * addresses gets {@link MOST_LINES} lines.
   */
  const count = (client: string, record: ClientRecord, nowMs: number) => {
    record.lastAtMs = nowMs;
    record.unlogged += 1;
    if (nowMs - record.loggedAtMs >= LOG_EVERY_MS && lines < MOST_LINES) log(client, record, nowMs);
    logLater();
    // The map keeps the order of insertion, so the first client is the one that was quiet longest.
    records.delete(client);
    records.set(client, record);
    const [oldest] = records.size > MOST_CLIENTS ? records.keys() : [];
    if (oldest !== undefined) records.delete(oldest);
  };

  return {
    admit: (client) => {
      const record = records.get(client);
      const nowMs = clock.monotonic();
      if (record === undefined || nowMs >= record.waitUntilMs) return;
      count(client, record, nowMs);
      const retryAfterMs = record.waitUntilMs - nowMs;
      throw new SynclineError(
        'too-many-attempts',
        `this address has sent too many wrong tokens. Wait ${Math.ceil(retryAfterMs / 1_000)} s, and then send a valid token`,
        { retryAfterMs },
      );
    },
    failed: (client) => {
      const nowMs = clock.monotonic();
      const known = records.get(client);
      const isKnown = known !== undefined && nowMs - known.lastAtMs < FORGOTTEN_AFTER_MS;
      const record = isKnown ? known : newRecord();
      record.failures += 1;
      record.waitUntilMs = nowMs + waitAfter(record.failures);
      count(client, record, nowMs);
    },
    succeeded: (client) => {
      const record = records.get(client);
      // A valid token of a lower role must not let a client guess others without a delay.
      if (record !== undefined) record.failures = Math.min(record.failures, FREE_FAILURES);
    },
  };
}

function newRecord(): ClientRecord {
  return {
    failures: 0,
    waitUntilMs: 0,
    lastAtMs: 0,
    unlogged: 0,
    loggedAtMs: Number.NEGATIVE_INFINITY,
  };
}

function waitAfter(failures: number): number {
  if (failures <= FREE_FAILURES) return 0;
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - FREE_FAILURES - 1));
}
