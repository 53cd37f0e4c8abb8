import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, ok } from '../http/route.ts';

/** `GET /health`: answers 200 while the process works. */
export async function getHealth(): Promise<Answer> {
  return ok({ status: 'ok' });
}

/** `GET /readiness`: answers 200, or 503 with the problems. */
export async function getReadiness({ readiness }: ApiDependencies): Promise<Answer> {
  const found = await readiness();
  return ok(found, { status: found.ready ? 200 : 503 });
}

/** `GET /version`: returns the name and the version of the program. */
export async function getVersionOfSyncline({ version }: ApiDependencies): Promise<Answer> {
  return ok({ name: 'syncline', version });
}

/** `GET /metrics`: returns the metrics for Prometheus. */
export async function getMetrics({ metrics }: ApiDependencies): Promise<Answer> {
  const { contentType, body } = await metrics.expose();
  return { status: 200, body, headers: { 'content-type': contentType } };
}

/** `GET /openapi.yaml`: returns the OpenAPI description of the api. */
export async function getOpenApi({ openApiDocument }: ApiDependencies): Promise<Answer> {
  const headers = { 'content-type': 'application/yaml; charset=utf-8' };
  return { status: 200, body: openApiDocument, headers };
}
