import { z } from 'zod';
import { durationSchema } from '../duration.ts';
import { pathAt, type SourcePath } from './define-source.ts';

/** Headers that carry credentials. The config must not contain their values, because Redis stores the config. */
const CREDENTIAL_HEADER = /^(authorization|proxy-authorization|cookie)$|token|secret|password|key/i;
/** Headers that the HTTP client sets, and headers that would change the meaning of a request. */
const RESERVED_HEADER =
  /^(host|connection|content-length|transfer-encoding|accept-encoding|if-none-match|if-modified-since|user-agent|upgrade|te|trailer|keep-alive|expect)$/i;

export const credentialFile = (what: string) =>
  z
    .string()
    .min(1)
    .meta({
      description: `The path of a file with ${what}. Each worker must be able to read this file.`,
    });

export const headersSchema = z
  .record(
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'use a valid header name' }),
    z.union(
      [
        z.string().regex(/^[\t\x20-\x7e]*$/, { error: 'use printable ASCII characters only' }),
        z
          .strictObject({ file: credentialFile('the value') })
          .meta({ description: 'A file that contains the value of the header.' }),
      ],
      { error: 'use text or {file: …}' },
    ),
  )
  .superRefine((headers, context) => {
    for (const [name, value] of Object.entries(headers)) {
      const refuse = (message: string) =>
        context.addIssue({ code: 'custom', path: [name], message });
      if (RESERVED_HEADER.test(name)) refuse('Syncline sets this header itself. Remove it');
      if (typeof value === 'string' && CREDENTIAL_HEADER.test(name)) {
        refuse('this header contains a credential. Put its value into a file, and use {file: …}');
      }
    }
  })
  .meta({
    description:
      'Headers that Syncline sends with every request. A value is text, or `{file: …}` if it is secret.',
  });

export const tokenAuthSchema = z
  .strictObject({ tokenFile: credentialFile('the bearer token') })
  .meta({ description: 'A bearer token. Syncline sends it to the configured host only.' });

export const httpUrl = z
  // z.httpUrl rejects IP addresses and names without a dot, which are common inside a cluster.
  .url({ protocol: /^https?$/, error: 'use an http or https URL' })
  .refine((text) => isPlainUrl(text), {
    error: 'use a URL without user, password or fragment',
  });

export const requestTimeout = durationSchema({ leastMs: 100 })
  .prefault('30s')
  .meta({ description: 'How long one request may take, until the last byte of the response.' });

/** Returns whether a URL has no credentials. Syncline shows the URL to people. */
function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  return url === null || url.username + url.password + url.hash === '';
}

interface Access {
  readonly auth?: z.input<typeof tokenAuthSchema> | undefined;
  readonly headers?: z.input<typeof headersSchema> | undefined;
}

/** Returns whether `auth` or `headers` contain a credential. */
export function sendsCredentials(access: Access): boolean {
  return accessPaths(access).some(({ use }) => use === 'secret');
}

/** Returns the credential files that `auth` and `headers` name. */
export function accessPaths({ auth, headers = {} }: Access): SourcePath[] {
  return [
    ...pathAt(['auth', 'tokenFile'], auth?.tokenFile, 'secret'),
    ...Object.entries(headers).flatMap(([name, value]) => {
      if (typeof value === 'string') return [];
      const keys = ['headers', name, 'file'];
      return [{ keys, option: `headers.${name}`, path: value.file, use: 'secret' as const }];
    }),
  ];
}
