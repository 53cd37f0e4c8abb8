/** Whether a process is ready for work, and its problems if it is not. */
export interface Readiness {
  ready: boolean;
  problems: string[];
}

/** A part of a process that runs until it is stopped. */
export interface Service {
  readonly name: string;
  readiness(): Promise<Readiness>;
  /** Returns the problems that only a restart of the process fixes. Optional. */
  liveness?(): readonly string[];
  /** Stops the service. Resolves when no part of it is running. */
  stop(): Promise<void>;
}

/** Returns the {@link Readiness} for a list of problems. */
export function readinessOf(problems: readonly string[]): Readiness {
  return { ready: problems.length === 0, problems: [...problems] };
}

/**
 * Composes several services into one, which is ready when all are ready. On stop, the services stop one after the other:
 * first those in `stopOrder`, then the others from last to first. If one service fails to stop, the others still stop, and
 * `stop` throws all failures together.
 */
export function composeServices(
  name: string,
  services: readonly Service[],
  { stopOrder = [] }: { readonly stopOrder?: readonly Service[] } = {},
): Service {
  let stopping: Promise<void> | undefined;
  return {
    name,
    readiness: async () => readinessOf((await Promise.all(services.map(problemsOf))).flat()),
    liveness: () =>
      services.flatMap((service) =>
        (service.liveness?.() ?? []).map((problem) => `${service.name}: ${problem}`),
      ),
    stop: () => {
      stopping ??= stopInTurn(name, [...new Set([...stopOrder, ...services.toReversed()])]);
      return stopping;
    },
  };
}

async function problemsOf(service: Service): Promise<string[]> {
  try {
    const { ready, problems } = await service.readiness();
    if (ready) return [];
    return (problems.length === 0 ? ['not ready'] : problems).map(
      (problem) => `${service.name}: ${problem}`,
    );
  } catch (error) {
    return [`${service.name}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

async function stopInTurn(name: string, services: readonly Service[]): Promise<void> {
  const failures: unknown[] = [];
  for (const service of services) {
    await service.stop().catch((error: unknown) => failures.push(error));
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1)
    throw new AggregateError(failures, `${name}: several parts did not stop`);
}
