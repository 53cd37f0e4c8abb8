import { z } from 'zod';
import { defineSource, pathAt } from './define-source.ts';
import {
  accessPaths,
  headersSchema,
  httpUrl,
  requestTimeout,
  tokenAuthSchema,
} from './http-access.ts';

const schema = z
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

export const fileSource = defineSource({
  schema,
  hasProbe: true,
  identity: ({ path, url, headers }) => ({ file: path, url, headers }),
  // A query may carry a credential.
  location: ({ path, url = '' }) => path ?? url.replace(/\?.*/s, ''),
  audience: ({ url }) => (url === undefined ? '' : new URL(url).origin),
  paths: (block) => [...pathAt(['path'], block.path, 'registry'), ...accessPaths(block)],
});
