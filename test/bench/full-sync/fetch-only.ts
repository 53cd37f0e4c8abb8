/** Fetches each page of a registry and parses its JSON, and keeps nothing: the minimum work of a sync. */
import { z } from 'zod';

const metadataSchema = z.object({ nextCursor: z.string().optional() });
const [endpoint = ''] = process.argv.slice(2);

const begunAt = performance.now();
let rows = 0;
let bytes = 0;
let cursor: string | undefined;
do {
  const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const response = await fetch(`${endpoint}/v0.1/servers?limit=100${next}`);
  const body = Buffer.from(await response.arrayBuffer());
  const page = JSON.parse(body.toString());
  rows += page.servers.length;
  bytes += body.length;
  cursor = metadataSchema.parse(page.metadata).nextCursor;
} while (cursor !== undefined);
const tookMs = performance.now() - begunAt;
console.log(JSON.stringify({ level: 'info', msg: 'fetched', rows, bytes, tookMs }));
