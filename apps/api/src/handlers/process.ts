import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, ok } from '../http/route.ts';

/** `GET /health`: 200 as long as the process answers. */
export async function getHealth(): Promise<Answer> {
  return ok({ status: 'ok' });
}

/** `GET /readiness`: 200, or 503 with the problems. */
export async function getReadiness({ readiness }: ApiDependencies): Promise<Answer> {
  const found = await readiness();
  return ok(found, { status: found.ready ? 200 : 503 });
}

/** `GET /version` */
export async function getVersionOfSyncline({ version }: ApiDependencies): Promise<Answer> {
  return ok({ name: 'syncline', version });
}

/** `GET /metrics`, for Prometheus. */
export async function getMetrics({ metrics }: ApiDependencies): Promise<Answer> {
  const { contentType, body } = await metrics.expose();
  return { status: 200, body, headers: { 'content-type': contentType } };
}

/** `GET /openapi.yaml`: the description of the api for programs. */
export async function getOpenApi({ openApiDocument }: ApiDependencies): Promise<Answer> {
  const headers = { 'content-type': 'application/yaml; charset=utf-8' };
  return { status: 200, body: openApiDocument, headers };
}
