import { z } from 'zod';
import { durationSchema } from '../duration.ts';
import { pathAt, type SourcePath } from './define-source.ts';

/** Headers that carry credentials. Their values must not lie in the config, which Redis stores. */
const CREDENTIAL_HEADER = /^(authorization|proxy-authorization|cookie)$|token|secret|password|key/i;
/** Headers that the HTTP client sets, and those that would change the meaning of a request. */
const RESERVED_HEADER =
  /^(host|connection|content-length|transfer-encoding|accept-encoding|if-none-match|if-modified-since|user-agent|upgrade|te|trailer|keep-alive|expect)$/i;

export const credentialFile = (what: string) =>
  z
    .string()
    .min(1)
    .meta({ description: `A file on the workers’ disk that holds ${what}.` });

export const headersSchema = z
  .record(
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'expected the name of a header' }),
    z.union(
      [
        z.string().regex(/^[\t\x20-\x7e]*$/, { error: 'expected printable ASCII' }),
        z
          .strictObject({ file: credentialFile('the value') })
          .meta({ description: 'The value of a header, in a file.' }),
      ],
      { error: 'expected text or {file: …}' },
    ),
  )
  .superRefine((headers, context) => {
    for (const [name, value] of Object.entries(headers)) {
      const refuse = (message: string) =>
        context.addIssue({ code: 'custom', path: [name], message });
      if (RESERVED_HEADER.test(name)) refuse('expected another header');
      if (typeof value === 'string' && CREDENTIAL_HEADER.test(name)) {
        refuse('expected {file: …}: a credential must lie in a file, not in the config');
      }
    }
  })
  .meta({
    description: 'Headers sent with every request: a text, or `{file: …}` for what is secret.',
  });

export const tokenAuthSchema = z
  .strictObject({ tokenFile: credentialFile('the bearer token') })
  .meta({ description: 'A bearer token, sent to the configured host only.' });

export const httpUrl = z
  // z.httpUrl refuses addresses and names without a dot, which are usual inside a cluster.
  .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
  .refine((text) => isPlainUrl(text), {
    error: 'expected a URL without user, password or fragment',
  });

export const requestTimeout = durationSchema({ leastMs: 100 })
  .prefault('30s')
  .meta({ description: 'How long one request may take, to the last byte of its answer.' });

/** Whether a URL carries no credential: it is shown wherever its registry is. */
function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  return url === null || url.username + url.password + url.hash === '';
}

interface Access {
  readonly auth?: z.input<typeof tokenAuthSchema> | undefined;
  readonly headers?: z.input<typeof headersSchema> | undefined;
}

/** Returns the files of credentials that `auth` and `headers` name. */
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
