import { z } from 'zod';
import { defineSource, pathAt } from './define-source.ts';
import {
  accessPaths,
  headersSchema,
  httpUrl,
  requestTimeout,
  sendsCredentials,
  tokenAuthSchema,
} from './http-access.ts';

const schema = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .optional()
      .meta({
        description:
          'The path of a registry file. A relative path starts at the folder of the config file.',
        examples: ['./registry.json'],
      }),
    url: httpUrl.optional().meta({
      description: 'The URL of a registry file, instead of `path`.',
      examples: ['https://mcp.example.com/registry.json'],
    }),
    timeout: requestTimeout,
    auth: tokenAuthSchema.optional(),
    headers: headersSchema.optional(),
  })
  .superRefine((file, context) => {
    if ((file.path === undefined) === (file.url === undefined)) {
      context.addIssue({ code: 'custom', message: 'set either path or url' });
    }
    for (const key of ['auth', 'headers'] as const) {
      if (file.path === undefined || file[key] === undefined) continue;
      context.addIssue({
        code: 'custom',
        path: [key],
        message: 'this key works only with url. Remove it, or replace path with url',
      });
    }
  })
  .meta({ description: 'A registry file on the disk of the workers, or at a URL.' });

export const fileSource = defineSource({
  schema,
  hasProbe: true,
  identity: ({ path, url, headers }) => ({ file: path, url, headers }),
  // A query may carry a credential.
  location: ({ path, url = '' }) => path ?? url.replace(/\?.*/s, ''),
  audience: ({ url }) => (url === undefined ? '' : new URL(url).origin),
  usesCredentials: (block) => sendsCredentials(block) || (block.url ?? '').includes('?'),
  paths: (block) => [...pathAt(['path'], block.path, 'registry'), ...accessPaths(block)],
});
