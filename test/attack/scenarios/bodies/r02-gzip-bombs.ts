import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { CODES } from '../../contract.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const MB = 1_000_000;
const SIZE_MB = 1_000;

/**
 * Bodies of one GB, compressed a thousandfold with gzip, twice with gzip, and with Brotli. Decoded bytes must be
 * counted while they are decoded.
 */
export const gzipBombs: Scenario = {
  id: 'R2',
  title: 'bodies compressed a thousandfold, once and twice',
  upstreams: {
    gzip: () => serveEncoded('gzip', bomb()),
    twice: () => serveEncoded('gzip, gzip', gzipSync(bomb())),
    brotli: () => {
      const params = { [constants.BROTLI_PARAM_QUALITY]: 5 };
      return serveEncoded('br', brotliCompressSync(Buffer.alloc(SIZE_MB * MB, ' '), { params }));
    },
  },
  cause: {
    run: [CODES.tooLarge, CODES.outOfMemory, CODES.notJson, CODES.unreachable, CODES.tooSlow],
  },
};

function bomb(): Buffer {
  return gzipSync(Buffer.alloc(SIZE_MB * MB, ' '));
}

function serveEncoded(encoding: string, body: Buffer): Promise<string> {
  return serveHttp((response) =>
    response.writeHead(200, { 'content-encoding': encoding }).end(body),
  );
}
