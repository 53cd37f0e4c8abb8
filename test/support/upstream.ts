import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { until } from './until.ts';
import {
  type Behaviour,
  type Gate,
  Screenplay,
  type Script,
  type ScriptOptions,
} from './upstream/behaviour.ts';
import { Corpus, type UpstreamRow } from './upstream/corpus.ts';
import { answer } from './upstream/official-api.ts';
import { type RecordedRequest, recordRequest } from './upstream/recorded-request.ts';
import { send } from './upstream/send.ts';

export type { Behaviour, Gate, Script, ScriptOptions } from './upstream/behaviour.ts';
export type { UpstreamRow } from './upstream/corpus.ts';
export type { RecordedRequest } from './upstream/recorded-request.ts';

export interface UpstreamOptions {
  readonly rows?: Iterable<UpstreamRow>;
  /**
   * The port. With 0, the default, the system chooses a free port. With a fixed port, a test can restart an
   * upstream at the same URL.
   */
  readonly port?: number;
  /** Whether to record requests. Switch recording off for very many requests. */
  readonly recording?: boolean;
  /** Whether to compress answers for clients that accept gzip. Default: true. */
  readonly gzip?: boolean;
  readonly lifetime?: Lifetime;
}

/** A server that behaves like the official MCP registry, unless a test sets another behavior. */
export interface Upstream {
  /** The URL without a trailing slash and without `/v0.1`. */
  readonly url: string;
  readonly port: number;
  readonly size: number;
  /** The requests, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** Returns the `count`-th request, counted from 1, as soon as it has arrived. */
  arrival(count: number): Promise<RecordedRequest>;
  forgetRequests(): void;
  replace(rows: Iterable<UpstreamRow>): void;
  /** Adds rows, or replaces the rows with the same name and version. The rows are served unchanged. */
  upsert(rows: Iterable<UpstreamRow>): void;
  /** Removes rows by `name@version`. */
  remove(keys: Iterable<string>): void;
  behave(behaviour: Behaviour, options?: ScriptOptions): Script;
  /** Holds requests back until the gate is released. */
  hold(options?: ScriptOptions): Gate;
  /** Ends all behaviors and releases held requests. */
  behaveWell(): void;
  /** Stops listening and breaks open connections. Can be called twice. */
  close(): Promise<void>;
}

/** Starts an upstream on the loopback address. It is closed at the end of the test. */
export async function startUpstream({
  rows = [],
  port = 0,
  recording = true,
  gzip = true,
  lifetime = testLifetime,
}: UpstreamOptions = {}): Promise<Upstream> {
  const corpus = new Corpus();
  corpus.upsert(rows);
  const screenplay = new Screenplay();
  const requests: RecordedRequest[] = [];
  let count = 0;

  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    count += 1;
    const request = recordRequest(count, incoming, response);
    if (recording) requests.push(request);
    const behaviours: Behaviour[] = [];
    for (const step of screenplay.take(request)) {
      if (step.kind === 'hold') await step.wait(request);
      else behaviours.push(step.behaviour);
    }
    if (response.destroyed) return;
    // Uses the current data, because a test may have changed it while the request was held back.
    const answered = answer(corpus, request.method, request.target);
    await send({ request, response, answer: answered, behaviours, gzip });
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch((error: unknown) => response.destroy(toError(error)));
  });
  const listening = await listen(server, port);

  const close = async () => {
    screenplay.clear();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  lifetime.defer(close);

  return {
    url: `http://127.0.0.1:${listening}`,
    port: listening,
    get size() {
      return corpus.size;
    },
    requests,
    arrival: (number) =>
      until(() => requests[number - 1], { what: `request ${number} at the upstream` }),
    forgetRequests: () => void requests.splice(0),
    replace: (replacing) => corpus.replace(replacing),
    upsert: (changed) => corpus.upsert(changed),
    remove: (keys) => corpus.remove(keys),
    behave: (behaviour, options = {}) => screenplay.behave(behaviour, options),
    hold: (options = {}) => screenplay.hold(options),
    behaveWell: () => screenplay.clear(),
    close,
  };
}

async function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  return address.port;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
