import { readFileSync } from 'node:fs';
import { REGISTRY_PATHS } from '@syncline/serving/express';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROUTES } from './routes.ts';
import { OPENAPI_PATH } from './testing/memory-api.ts';

interface OpenApiDocument {
  readonly info: { readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const document: OpenApiDocument = parse(readFileSync(OPENAPI_PATH, 'utf8'));

function operationsOf(path: string): string[] {
  const item = document.paths[path] ?? {};
  const reference = item['$ref'];
  if (typeof reference === 'string') {
    return operationsOf(reference.replace('#/paths/', '').replaceAll('~1', '/'));
  }
  return Object.keys(item).filter((key) => ['get', 'post', 'put', 'patch', 'delete'].includes(key));
}

test('the OpenAPI document describes exactly the routes that exist', () => {
  const described = Object.keys(document.paths).flatMap((path) =>
    operationsOf(path).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = [
    ...ROUTES.map(({ method, path }) => `${method} ${path}`),
    ...REGISTRY_PATHS.map((path) => `GET /registry${path}`),
  ];
  expect(described.toSorted()).toEqual(served.toSorted());
});

test('the OpenAPI document says which role each route needs', () => {
  const SECURITY = {
    open: undefined,
    read: [{}, { token: ['read'] }, { session: ['read'] }],
    operate: [{ token: ['operate'] }, { session: ['operate'] }],
  };
  for (const { method, path, access } of ROUTES) {
    const operation = document.paths[path]?.[method.toLowerCase()] as {
      security?: object[];
      responses: object;
    };
    expect(operation.security, path).toEqual(SECURITY[access]);
    const statuses = Object.keys(operation.responses);
    if (access !== 'open') expect(statuses).toEqual(expect.arrayContaining(['401', '403', '429']));
  }
});

test('the OpenAPI document has the version and the description that registry clients read', () => {
  expect(document.info.version).toBe('1.0.0');
  expect(document.info.description).toContain('https://github.com/modelcontextprotocol/registry');
});
