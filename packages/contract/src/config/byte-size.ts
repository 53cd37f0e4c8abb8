import { z } from 'zod';
import { BYTE_SIZE, formatBytes, parseByteSize } from '../byte-size.ts';

/** Returns a schema that parses a size such as `256MiB` into bytes. */
export function byteSizeSchema({ leastBytes }: { leastBytes: number }) {
  return z
    .string()
    .meta({ pattern: BYTE_SIZE.source, examples: ['256MiB', '1GiB', '500MB'] })
    .transform((text, context) => {
      const bytes = parseByteSize(text);
      if (bytes !== undefined && bytes >= leastBytes) return bytes;
      const what =
        bytes === undefined ? 'such as 256MiB or 1GiB' : `of at least ${formatBytes(leastBytes)}`;
      context.addIssue({ code: 'custom', message: `use a size ${what}` });
      return z.NEVER;
    });
}
