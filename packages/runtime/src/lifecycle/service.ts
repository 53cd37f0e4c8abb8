/** Whether a process can do its work now, and if not, why. */
export interface Readiness {
  ready: boolean;
  problems: string[];
}

/** A part of a process that lives until it is stopped. */
export interface Service {
  readonly name: string;
  readiness(): Promise<Readiness>;
  /** What only a restart of the process would mend; none while it lives. What has no such thing leaves it out. */
  liveness?(): readonly string[];
  /** Resolves when nothing of it is left running. */
  stop(): Promise<void>;
}

/** {@link Readiness} from what is amiss. */
export function readinessOf(problems: readonly string[]): Readiness {
  return { ready: problems.length === 0, problems: [...problems] };
}

/**
 * Several services as one. It is ready when all are. They are stopped one after the other: first
 * those in `stopOrder`, in its order, then the others, the last of the list first. Where some fail to stop, the others are
 * stopped all the same, and the failures are thrown together at the end.
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
  if (failures.length > 1) throw new AggregateError(failures, `${name}: some parts did not stop`);
}
