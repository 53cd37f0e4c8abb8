import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { withoutTermination } from './termination-lock.ts';

/** @param options.level default: that of zstd, 3 */
export function compress(
  content: string | Uint8Array,
  { level = constants.ZSTD_CLEVEL_DEFAULT }: { level?: number } = {},
): Buffer {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return withoutTermination(() => zstdCompressSync(content, { params }));
}

/** @throws where that is more than `maxBytes`, or nothing of zstd's */
export function decompress(bytes: Uint8Array, { maxBytes }: { maxBytes: number }): Buffer {
  return withoutTermination(() => zstdDecompressSync(bytes, { maxOutputLength: maxBytes }));
}
