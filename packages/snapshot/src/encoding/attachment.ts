import { SynclineError } from '@syncline/contract';
import { sha256 } from '@syncline/rows';
import { z } from 'zod';
import type { Blob } from '../store.ts';
import { compress, decompress } from './zstd.ts';

/** All skills, or all plugins, of a registry have at most so many characters of JSON. */
export const MAX_ATTACHMENT_CHARACTERS = 32 * 1024 * 1024;
/** A character takes up to three bytes. */
const MAX_ATTACHMENT_BYTES = 3 * MAX_ATTACHMENT_CHARACTERS;

export const attachmentSchema = z.object({
  kind: z.enum(['skills', 'plugins']),
  /** SHA-256 of its bytes, in hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** 128 bits of SHA-256 over its JSON, in hex: how well that is compressed may change. */
  contentDigest: z.string(),
  count: z.int().nonnegative(),
});

/** What a registry has besides servers, as its manifest lists it. Its blob lies among the chunks. */
export type Attachment = Readonly<z.infer<typeof attachmentSchema>>;
export type AttachmentKind = Attachment['kind'];

/** An attachment before it is known whether the previous snapshot has it. */
export interface AttachmentDraft {
  readonly kind: AttachmentKind;
  /** Each the JSON of one, in the order of the source. */
  readonly items: readonly string[];
}

/** Takes over the attachments that are stored or that the previous snapshot has, and encodes the others. */
export function attach(
  drafts: readonly (AttachmentDraft | Attachment)[],
  previous: readonly Attachment[] = [],
): { attachments: Attachment[]; newBlobs: Blob[] } {
  const newBlobs: Blob[] = [];
  const attachments = drafts
    .filter((draft) => 'digest' in draft || draft.items.length > 0)
    .map((draft) => {
      if ('digest' in draft) return draft;
      const { kind, items } = draft;
      const json = `[${items.join(',')}]`;
      const contentDigest = sha256(json).slice(0, 32);
      const known = previous.find((it) => it.kind === kind && it.contentDigest === contentDigest);
      if (known !== undefined) return known;
      const bytes = compress(json);
      const digest = sha256(bytes);
      newBlobs.push({ digest, bytes });
      return { kind, digest, contentDigest, count: items.length };
    });
  return { attachments, newBlobs };
}

/**
 * Reads an attachment back, and verifies that it is what its digest names.
 *
 * @throws SynclineError `snapshot-corrupt`
 */
export function decodeAttachment({ digest, bytes }: Blob): unknown[] {
  const items = sha256(bytes) === digest ? z.array(z.unknown()).safeParse(parse(bytes)) : undefined;
  if (items?.success === true) return items.data;
  throw new SynclineError('snapshot-corrupt', `attachment ${digest} does not match its digest`, {
    expected: 'a list in JSON, compressed',
  });
}

/** `undefined`, which is no list either, where the bytes are of another make. */
function parse(bytes: Uint8Array): unknown {
  try {
    const json = decompress(bytes, { maxBytes: MAX_ATTACHMENT_BYTES });
    return JSON.parse(json.toString('utf8'));
  } catch {
    return undefined;
  }
}
