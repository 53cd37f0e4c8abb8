import { onTestFinished } from 'vitest';
import { HttpClient, type HttpClientOptions, type HttpRequest } from '../http/http.ts';
import { localGuard } from './local-guard.ts';
import { testMemory } from './test-memory.ts';

/** Creates a client that may connect to upstreams on this machine. It is closed after the test. */
export function testHttpClient(options: Partial<HttpClientOptions> = {}): HttpClient {
  const http = new HttpClient({ userAgent: () => undefined, guard: localGuard(), ...options });
  onTestFinished(() => http.close());
  return http;
}

/** Returns a request whose limits no honest test server reaches. */
export function testHttpRequest(url: string, options: Partial<HttpRequest> = {}): HttpRequest {
  return {
    url: new URL(url),
    timeoutMs: 60_000,
    maxBytes: 1_000_000,
    signal: new AbortController().signal,
    upstream: { requests: 0, bytes: 0 },
    memory: testMemory(),
    ...options,
  };
}
