import { z } from 'zod';
import { defineSource } from './define-source.ts';
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
    endpoint: httpUrl
      .refine((text) => (URL.parse(text)?.search ?? '') === '', {
        error: 'use a URL without a query',
      })
      .meta({
        description: 'Base URL of an MCP Registry API, without `/v0.1`.',
        examples: ['https://registry.modelcontextprotocol.io'],
      }),
    timeout: requestTimeout,
    auth: tokenAuthSchema.optional(),
    headers: headersSchema.optional(),
  })
  .meta({ description: 'A server of the MCP Registry API.' });

export const apiSource = defineSource({
  schema,
  hasProbe: false,
  identity: ({ endpoint, headers }) => ({ api: endpoint, headers }),
  location: ({ endpoint }) => endpoint,
  audience: ({ endpoint }) => new URL(endpoint).origin,
  usesCredentials: sendsCredentials,
  paths: accessPaths,
});
