import { z } from 'zod';
import { durationSchema } from '../duration.ts';
import { defineSource, pathAt } from './define-source.ts';
import { credentialFile } from './http-access.ts';

/** A ref name that git allows. @see git-check-ref-format(1) */
const refName = z
  .string()
  .min(1)
  .max(250)
  .refine(
    (name) =>
      !/[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|[/.]$|\.lock(\/|$)|\/\./u.test(name) && name !== '@',
    { error: 'use a name that git accepts' },
  );

const schema = z
  .strictObject({
    repository: z
      .string()
      .min(1)
      .refine((text) => isRepository(text), {
        error:
          'use an https, http, ssh or file URL without a password or query, host:path, or a local path',
      })
      .meta({
        description:
          'The repository: `https://…`, `ssh://…`, `git@host:path`, or a local path. A relative path starts at the folder of the config file.',
        examples: ['https://git.example.com/mcp.git'],
      }),
    branch: refName.optional().meta({
      description:
        'The branch to follow. Without branch, tag and commit, Syncline follows the default branch of the repository.',
    }),
    tag: refName.optional().meta({ description: 'A tag to follow, instead of a branch.' }),
    commit: z
      .string()
      .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, { error: 'use a complete commit id in lower case' })
      .optional()
      .meta({ description: 'A commit to read, instead of a branch.' }),
    path: z
      .string()
      .min(1)
      .refine((path) => isInside(path), { error: 'use a path inside the repository' })
      .default('registry.json')
      .meta({
        description:
          'A file or a folder in the repository. Syncline merges the `.json`, `.yaml` and `.yml` files of a folder.',
      }),
    timeout: durationSchema({ leastMs: 100 })
      .prefault('2m')
      .meta({ description: 'How long one git command may take.' }),
    auth: z
      .strictObject({
        username: z.string().min(1).optional().meta({ description: 'The user name, for https.' }),
        passwordFile: credentialFile('the password or token').optional(),
        sshKeyFile: credentialFile('the private key, for ssh').optional(),
        knownHostsFile: z.string().min(1).optional().meta({
          description:
            'A file with the known host keys, for ssh. Without it, ssh uses the known hosts of the system account of the worker.',
        }),
      })
      .refine(
        ({ username, passwordFile, sshKeyFile, knownHostsFile }) =>
          sshKeyFile === undefined
            ? username !== undefined && passwordFile !== undefined && knownHostsFile === undefined
            : username === undefined && passwordFile === undefined,
        { error: 'set username and passwordFile, or sshKeyFile' },
      )
      .optional()
      .meta({ description: 'The credentials for the repository.' }),
  })
  .superRefine((git, context) => {
    const refs = (['branch', 'tag', 'commit'] as const).filter((key) => git[key] !== undefined);
    if (refs.length < 2) return;
    const message = `${refs.join(' and ')} are both set. Use only one of branch, tag and commit`;
    context.addIssue({ code: 'custom', path: refs.slice(1, 2), message });
  })
  .meta({ description: 'A Git repository.' });

export const gitSource = defineSource({
  schema,
  hasProbe: true,
  identity: ({ repository, branch, tag, commit, path }) => ({
    git: [repository, branch, tag, commit, path],
  }),
  location: ({ repository, path, ...refs }) => {
    const ref = refs.branch ?? refs.tag ?? refs.commit;
    return `${repository}${ref === undefined ? '' : `@${ref}`}:${path}`;
  },
  audience: ({ repository }) => repository,
  // Over ssh, git always sends a key: this one, or the key of the system account.
  usesCredentials: ({ repository, auth }) =>
    auth !== undefined || /^ssh:/i.test(repository) || isScpLike(repository),
  paths: ({ repository, auth }) => [
    ...(isLocalRepository(repository) ? pathAt(['repository'], repository, 'registry') : []),
    ...pathAt(['auth', 'passwordFile'], auth?.passwordFile, 'secret'),
    ...pathAt(['auth', 'sshKeyFile'], auth?.sshKeyFile, 'secret'),
    ...pathAt(['auth', 'knownHostsFile'], auth?.knownHostsFile, 'public'),
  ],
});

/** `host:path` as scp and git read it. A single letter before the colon is a drive, not a host. */
const SCP_LIKE = /^(?:[\w.-]+@)?[\w][\w.-]+:(?!\/\/)[^\s-][^\s]*$/;
const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Returns whether a repository is a local path without a scheme. */
function isLocalRepository(repository: string): boolean {
  return !HAS_SCHEME.test(repository) && !isScpLike(repository);
}

function isScpLike(repository: string): boolean {
  return !HAS_SCHEME.test(repository) && SCP_LIKE.test(repository);
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
