import { z } from 'zod';
import { durationSchema } from '../duration.ts';
import { defineSource, pathAt } from './define-source.ts';
import { credentialFile } from './http-access.ts';

/** A name of a ref that git allows. @see git-check-ref-format(1) */
const refName = z
  .string()
  .min(1)
  .max(250)
  .refine(
    (name) =>
      !/[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|[/.]$|\.lock(\/|$)|\/\./u.test(name) && name !== '@',
    { error: 'expected a name that git allows' },
  );

const schema = z
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
      .refine(
        ({ username, passwordFile, sshKeyFile, knownHostsFile }) =>
          sshKeyFile === undefined
            ? username !== undefined && passwordFile !== undefined && knownHostsFile === undefined
            : username === undefined && passwordFile === undefined,
        { error: 'expected username and passwordFile, or sshKeyFile' },
      )
      .optional()
      .meta({ description: 'How to log in.' }),
  })
  .superRefine((git, context) => {
    const refs = (['branch', 'tag', 'commit'] as const).filter((key) => git[key] !== undefined);
    if (refs.length < 2) return;
    const message = `expected one of branch, tag and commit, but ${refs.join(' and ')} are given`;
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
  paths: ({ repository, auth }) => [
    ...(isLocalRepository(repository) ? pathAt(['repository'], repository, 'registry') : []),
    ...pathAt(['auth', 'passwordFile'], auth?.passwordFile, 'secret'),
    ...pathAt(['auth', 'sshKeyFile'], auth?.sshKeyFile, 'secret'),
    ...pathAt(['auth', 'knownHostsFile'], auth?.knownHostsFile, 'public'),
  ],
});

/** `host:path` as scp and git read it. A single letter before the colon would be a drive. */
const SCP_LIKE = /^(?:[\w.-]+@)?[\w][\w.-]+:(?!\/\/)[^\s-][^\s]*$/;
const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Whether a repository is a path on the disk, without a scheme. */
function isLocalRepository(repository: string): boolean {
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
