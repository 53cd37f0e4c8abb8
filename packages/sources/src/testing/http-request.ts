import { onTestFinished } from 'vitest';
import { HttpClient, type HttpClientOptions, type HttpRequest } from '../http/http.ts';
import { localGuard } from './local-guard.ts';

/** A client that may ask upstreams on this machine; closed after the test. */
export function testHttpClient(options: Partial<HttpClientOptions> = {}): HttpClient {
  const http = new HttpClient({ userAgent: () => undefined, guard: localGuard(), ...options });
  onTestFinished(() => http.close());
  return http;
}

/** A request with limits that no honest server of a test comes near. */
export function testHttpRequest(url: string, options: Partial<HttpRequest> = {}): HttpRequest {
  return {
    url: new URL(url),
    timeoutMs: 60_000,
    maxBytes: 1_000_000,
    signal: new AbortController().signal,
    upstream: { requests: 0, bytes: 0 },
    ...options,
  };
}
