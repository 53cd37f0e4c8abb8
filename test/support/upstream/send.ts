import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type Answer, type Page, pageBody } from './answer.ts';
import type { Behaviour } from './behaviour.ts';
import type { RecordedRequest } from './recorded-request.ts';

const FILLER = Buffer.alloc(64 * 1024, ' ');

export interface SendOptions {
  readonly request: RecordedRequest;
  readonly response: ServerResponse;
  readonly answer: Answer;
  readonly behaviours: readonly Behaviour[];
  readonly gzip: boolean;
}

/** Sends the answer, changed by the behaviors in force. */
export async function send(options: SendOptions): Promise<void> {
  const { request, response, answer, behaviours } = options;
  const has = (kind: Behaviour['kind']) => behaviours.some((behaviour) => behaviour.kind === kind);
  for (const behaviour of behaviours) {
    if (behaviour.kind === 'delay') {
      await Promise.race([sleep(behaviour.delayMs, undefined, { ref: false }), request.ended]);
    }
  }
  const replaced = behaviours.findLast((behaviour) => behaviour.kind === 'status');
  if (replaced !== undefined) {
    response.writeHead(replaced.status, { 'content-type': 'text/plain', ...replaced.headers });
    response.end(replaced.body ?? '');
  } else if (has('html')) {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end('<!doctype html><title>Just a moment…</title><p>Checking your browser.</p>');
  } else if (answer.kind === 'redirect') {
    response.writeHead(308, { location: answer.location }).end();
  } else if (answer.kind === 'problem') {
    response.writeHead(answer.status, { 'content-type': 'application/problem+json' });
    response.end(answer.body);
  } else {
    response.setHeader('content-type', 'application/json');
    const body = answer.kind === 'row' ? answer.json : listBody(answer.page, request, has);
    await sendBody({ ...options, body, has });
  }
}

type Has = (kind: Behaviour['kind']) => boolean;

function listBody(page: Page, request: RecordedRequest, has: Has): Buffer {
  const repeated = has('repeated-cursor') ? request.query.get('cursor') : null;
  const shown = repeated === null ? page : { ...page, nextCursor: repeated };
  return pageBody(shown, has('next_cursor') ? 'next_cursor' : 'nextCursor');
}

interface BodyOptions extends SendOptions {
  readonly body: Buffer;
  readonly has: Has;
}

async function sendBody({ request, response, body, has, gzip }: BodyOptions): Promise<void> {
  const half = body.subarray(0, Math.floor(body.length / 2));
  if (has('truncated-json')) {
    response.end(half);
  } else if (has('broken-connection')) {
    response.writeHead(200, { 'content-length': body.length });
    response.write(half, () => response.destroy());
  } else if (has('endless-body')) {
    await sendEndless(half, response);
  } else if (gzip && acceptsGzip(request)) {
    response.setHeader('content-encoding', 'gzip');
    response.end(gzipSync(body, { level: 1 }));
  } else {
    response.setHeader('content-length', body.length);
    response.end(body);
  }
}

async function sendEndless(start: Buffer, response: ServerResponse): Promise<void> {
  const endless = async function* () {
    yield start;
    for (;;) yield FILLER;
  };
  // The pipeline fails when the client disconnects, which ends the endless body.
  await pipeline(Readable.from(endless()), response).catch(() => {});
}

function acceptsGzip(request: RecordedRequest): boolean {
  return /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
}
