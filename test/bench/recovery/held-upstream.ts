import type { Lifetime } from '../../support/lifetime.ts';
import { startScriptedServer } from '../../support/scripted-server.ts';

/** A request that has arrived. */
export interface Arrival {
  /** As `performance.now()` has it. */
  readonly atMs: number;
  readonly target: string;
}

/** An upstream that never answers the first request for each registry, and answers later ones. */
export interface HeldUpstream {
  /** The API of each registry is at `/<registry>`. */
  readonly url: string;
  /** The requests for a registry, oldest first. */
  arrivals(registry: string): readonly Arrival[];
}

export async function startHeldUpstream(
  registries: readonly string[],
  lifetime: Lifetime,
): Promise<HeldUpstream> {
  const server = await startScriptedServer(lifetime);
  const arrivals = new Map<string, readonly Arrival[]>();
  for (const registry of registries) {
    const ofRegistry: Arrival[] = [];
    arrivals.set(registry, ofRegistry);
    server.answer(registry, (response, { url = '' }) => {
      ofRegistry.push({ atMs: performance.now(), target: url });
      if (ofRegistry.length === 1) return;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(pageOf(registry)));
    });
  }
  return { url: server.url, arrivals: (registry) => arrivals.get(registry) ?? [] };
}

function pageOf(registry: string) {
  const server = { name: `com.example/${registry}`, description: 'A server', version: '1.0.0' };
  return { servers: [{ server, _meta: {} }], metadata: { count: 1 } };
}
