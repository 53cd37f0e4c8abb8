import { isUtf8 } from 'node:buffer';
import { SynclineError } from '@syncline/contract';
import { z } from 'zod';

/** The shapes in which a registry comes. */
export type BodyFormat = 'registry-list' | 'upstream-registry' | 'server-array';

/** What one body of a source holds. */
export interface ParsedBody {
  readonly format: BodyFormat;
  /** Candidates for rows, not validated. */
  readonly rows: readonly unknown[];
  /** Of a list in pages: what to ask for next. */
  readonly nextCursor: string | undefined;
  readonly skillCount: number;
  readonly pluginCount: number;
}

const cursor = z.string().nullish();
const registryList = z.object({
  servers: z.array(z.unknown()).nullable(),
  metadata: z.object({ nextCursor: cursor, next_cursor: cursor }).nullish(),
});
const upstreamRegistry = z.object({
  data: z.object({
    servers: z.array(z.unknown()).default([]),
    skills: z.array(z.unknown()).default([]),
    plugins: z.array(z.unknown()).default([]),
  }),
});
const serverArray = z.array(z.unknown());

/**
 * Finds out in which format a body is, and takes it apart.
 *
 * @throws SynclineError `source-not-json`, `source-not-a-registry`, saying what the body looked like
 */
export function parseBody(body: Uint8Array): ParsedBody {
  const value = parseJson(body);
  const none = { nextCursor: undefined, skillCount: 0, pluginCount: 0 };
  const array = serverArray.safeParse(value);
  if (array.success) return { ...none, format: 'server-array', rows: array.data };
  const list = registryList.safeParse(value);
  if (list.success) {
    const { servers, metadata } = list.data;
    const nextCursor = metadata?.nextCursor || metadata?.next_cursor || undefined;
    return { ...none, format: 'registry-list', rows: servers ?? [], nextCursor };
  }
  const upstream = upstreamRegistry.safeParse(value);
  if (upstream.success) {
    const { servers, skills, plugins } = upstream.data.data;
    return {
      ...none,
      format: 'upstream-registry',
      rows: servers,
      skillCount: skills.length,
      pluginCount: plugins.length,
    };
  }
  throw new SynclineError(
    'source-not-a-registry',
    `the source gave ${describeValue(value)}, which is no registry`,
    {
      expected: 'an object with `servers`, an object with `data.servers`, or an array of servers',
    },
  );
}

function parseJson(body: Uint8Array): unknown {
  const expected = 'JSON in UTF-8';
  if (!isUtf8(body)) {
    throw new SynclineError('source-not-json', `the source gave ${describeBytes(body)}`, {
      expected,
    });
  }
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new SynclineError(
      'source-not-json',
      `the source gave ${describeText(text)} (${detail})`,
      {
        expected,
        cause,
      },
    );
  }
}

function describeBytes(body: Uint8Array): string {
  if (body[0] === 0x1f && body[1] === 0x8b) return 'gzip data';
  if (body[0] === 0xff && body[1] === 0xfe) return 'text in UTF-16';
  return `${body.length} bytes that are no UTF-8`;
}

function describeText(text: string): string {
  const start = text.trimStart();
  if (start === '') return 'an empty body';
  if (/^<(!doctype html|html)/i.test(start)) return 'an HTML page';
  if (start.startsWith('<')) return 'XML';
  if (/^[[{]/.test(start)) return 'JSON that is broken or cut off';
  return `text that is no JSON, beginning with ${JSON.stringify(start.slice(0, 40))}`;
}

function describeValue(value: unknown): string {
  if (value === null) return '`null`';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const keys = Object.keys(value);
  if (keys.length === 0) return 'an empty object';
  return `an object with ${keys
    .slice(0, 8)
    .map((key) => `\`${key.slice(0, 40)}\``)
    .join(', ')}${keys.length > 8 ? ', …' : ''}`;
}
