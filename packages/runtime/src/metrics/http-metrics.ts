import type { Registry } from 'prom-client';
import { Histogram } from './prom-client.ts';

/** A request that was answered. */
export interface HttpRequestObservation {
  readonly method: string;
  /** The route's pattern, as in `/v1/registries/{name}`; never the path that was asked for. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}

/** How the api answers. */
export interface HttpMetrics {
  httpRequest(observation: HttpRequestObservation): void;
}

export function createHttpMetrics(register: Registry): HttpMetrics {
  const durations = new Histogram({
    name: 'syncline_http_request_duration_seconds',
    help: 'How long requests to the api took to answer.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers: [register],
  });
  return {
    httpRequest: ({ method, route, status, durationMs }) =>
      durations.observe({ method, route, status: String(status) }, durationMs / 1_000),
  };
}
