import { z } from 'zod';
import { durationSchema } from '../duration.ts';

/** Names of headers that carry credentials: their values must not lie in the config, which Redis keeps. */
const CREDENTIAL_HEADER = /^(authorization|proxy-authorization|cookie)$|token|secret|password|key/i;
/** What the HTTP client sets by itself, and what would change the meaning of a request. */
const RESERVED_HEADER =
  /^(host|connection|content-length|transfer-encoding|accept-encoding|if-none-match|if-modified-since|user-agent|upgrade|te|trailer|keep-alive|expect)$/i;

const credentialFile = (what: string) =>
  z
    .string()
    .min(1)
    .meta({ description: `A file on the workers’ disk that holds ${what}.` });

const headersSchema = z
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
      if (RESERVED_HEADER.test(name)) {
        context.addIssue({ code: 'custom', path: [name], message: 'expected another header' });
      }
      if (typeof value === 'string' && CREDENTIAL_HEADER.test(name)) {
        context.addIssue({
          code: 'custom',
          path: [name],
          message:
            'expected {file: …}, since a credential must not lie in the config, but found it here',
        });
      }
    }
  })
  .meta({
    description: 'Headers sent with every request: a text, or `{file: …}` for what is secret.',
  });

const tokenAuthSchema = z
  .strictObject({ tokenFile: credentialFile('the bearer token') })
  .meta({ description: 'A bearer token, sent to the configured host only.' });

const httpUrl = z
  // Not z.httpUrl: that one refuses addresses and names without a dot, as are usual inside a cluster.
  .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
  .refine((text) => isPlainUrl(text), {
    error: 'expected a URL without user, password or fragment',
  });

const requestTimeout = durationSchema({ leastMs: 100 })
  .prefault('30s')
  .meta({ description: 'How long one request may take, to the last byte of its answer.' });

export const fileSourceSchema = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'A file that holds a registry; relative to the config file.',
        examples: ['./registry.json'],
      }),
    url: httpUrl.optional().meta({
      description: 'The URL of such a file, instead of `path`.',
      examples: ['https://mcp.example.com/registry.json'],
    }),
    timeout: requestTimeout,
    auth: tokenAuthSchema.optional(),
    headers: headersSchema.optional(),
  })
  .superRefine((file, context) => {
    if ((file.path === undefined) === (file.url === undefined)) {
      context.addIssue({ code: 'custom', message: 'expected either path or url' });
    }
    for (const key of ['auth', 'headers'] as const) {
      if (file.path === undefined || file[key] === undefined) continue;
      context.addIssue({ code: 'custom', path: [key], message: 'expected it with url only' });
    }
  })
  .meta({ description: 'A file: on the workers’ disk, or behind a URL.' });

export const apiSourceSchema = z
  .strictObject({
    endpoint: httpUrl
      .refine((text) => (URL.parse(text)?.search ?? '') === '', {
        error: 'expected a URL without a query',
      })
      .meta({
        description: 'Base URL of an MCP Registry API, without `/v0.1`.',
        examples: ['https://registry.modelcontextprotocol.io'],
      }),
    timeout: requestTimeout,
    auth: tokenAuthSchema.optional(),
    headers: headersSchema.optional(),
  })
  .meta({ description: 'A registry that serves the MCP Registry API.' });

/** The names of refs, as git allows them. @see git-check-ref-format(1) */
const refName = z
  .string()
  .min(1)
  .max(250)
  .refine(
    (name) =>
      !/[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|[/.]$|\.lock(\/|$)|\/\./u.test(name) && name !== '@',
    { error: 'expected a name that git allows' },
  );

export const gitSourceSchema = z
  .strictObject({
    repository: z
      .string()
      .min(1)
      .refine((text) => isRepository(text), {
        error:
          'expected an https, http, ssh or file URL without a password or query, host:path, or a local path',
      })
      .meta({
        description:
          'The repository: `https://…`, `ssh://…` or `git@host:path`, or a local path, relative to the config file.',
        examples: ['https://git.example.com/mcp.git'],
      }),
    branch: refName.optional().meta({
      description: 'The branch to follow. Without branch, tag and commit: the remote’s own.',
    }),
    tag: refName.optional().meta({ description: 'A tag, instead of a branch.' }),
    commit: z
      .string()
      .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, { error: 'expected a whole commit id in lower case' })
      .optional()
      .meta({ description: 'A commit, instead of a branch.' }),
    path: z
      .string()
      .min(1)
      .refine((path) => isInside(path), { error: 'expected a path inside of the repository' })
      .default('registry.json')
      .meta({
        description:
          'A file in the repository, or a folder: its `.json`, `.yaml` and `.yml` files are merged.',
      }),
    timeout: durationSchema({ leastMs: 100 })
      .prefault('2m')
      .meta({ description: 'How long one call of git may take.' }),
    auth: z
      .strictObject({
        username: z.string().min(1).optional().meta({ description: 'For https.' }),
        passwordFile: credentialFile('the password or token').optional(),
        sshKeyFile: credentialFile('the private key, for ssh').optional(),
        knownHostsFile: z.string().min(1).optional().meta({
          description: 'The known host keys, for ssh. Without it, those of the workers’ user.',
        }),
      })
      .superRefine((auth, context) => {
        const isHttps = auth.username !== undefined && auth.passwordFile !== undefined;
        const isSsh = auth.sshKeyFile !== undefined;
        const isMixed = isSsh && (auth.username !== undefined || auth.passwordFile !== undefined);
        const isLost = isHttps && auth.knownHostsFile !== undefined;
        if (isHttps !== isSsh && !isMixed && !isLost) return;
        context.addIssue({
          code: 'custom',
          message: 'expected username and passwordFile, or sshKeyFile',
        });
      })
      .optional()
      .meta({ description: 'How to log in.' }),
  })
  .superRefine((git, context) => {
    const refs = (['branch', 'tag', 'commit'] as const).filter((key) => git[key] !== undefined);
    if (refs.length > 1) {
      context.addIssue({
        code: 'custom',
        path: [refs[1] ?? ''],
        message: `expected one of branch, tag and commit, but ${refs.join(' and ')} are given`,
      });
    }
  })
  .meta({ description: 'A Git repository.' });

/** A URL is shown wherever its registry is: it must not carry what is secret. */
function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  return url === null || url.username + url.password + url.hash === '';
}

/** `host:path` of scp, as git has it; a single letter before the colon would be a drive. */
const SCP_LIKE = /^(?:[\w.-]+@)?[\w][\w.-]+:(?!\/\/)[^\s-][^\s]*$/;

const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Whether a repository of a config is a path on the disk, without a scheme. */
export function isLocalRepository(repository: string): boolean {
  return !HAS_SCHEME.test(repository) && !SCP_LIKE.test(repository);
}

function isRepository(text: string): boolean {
  if (/\p{Cc}/u.test(text) || text.startsWith('-')) return false;
  if (/^[a-z][a-z0-9+.-]*::/i.test(text)) return false;
  if (!HAS_SCHEME.test(text)) return SCP_LIKE.test(text) || !text.includes(':');
  const url = URL.parse(text);
  if (url === null || url.password + url.search + url.hash !== '') return false;
  if (url.hostname.startsWith('-')) return false;
  return url.protocol === 'ssh:' || (/^(https?|file):$/.test(url.protocol) && url.username === '');
}

function isInside(path: string): boolean {
  return (
    !/[\p{Cc}\\]/u.test(path) &&
    !path.startsWith('/') &&
    !path.split('/').some((segment) => /^(\.\.|\.git)$/i.test(segment))
  );
}
