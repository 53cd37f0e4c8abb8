import type { Lifetime } from '../../support/lifetime.ts';
import type { HostileClients } from '../attackers.ts';
import { CODES } from '../contract.ts';
import type { AttackedFleet } from '../fleet.ts';
import type { RegistryInput, Scenario } from '../scenario.ts';
import type { Named } from '../verdict.ts';
import { doctorFindings, runEndings } from './causes.ts';

const FAILURES: ReadonlySet<string> = new Set(Object.values(CODES));

export interface FindNamesOptions {
  readonly fleet: AttackedFleet;
  /** The registries of each scenario. */
  readonly hostile: ReadonlyMap<Scenario, readonly RegistryInput[]>;
  readonly clients: HostileClients;
  readonly lifetime: Lifetime;
}

/**
 * Returns who names the causes: the runs of each hostile registry, the answers to hostile clients, and `doctor`, which
 * is asked last because it is the most expensive.
 */
export async function findNames(options: FindNamesOptions): Promise<readonly Named[]> {
  const named: Named[] = [];
  const toDoctor: { readonly id: string; readonly expected: readonly string[] }[] = [];
  for (const [scenario, registries] of options.hostile) {
    const { id, cause } = scenario;
    const byRuns = cause.run === undefined ? [] : await namedByRuns(cause.run, registries, options);
    named.push(...byRuns);
    if (cause.answer !== undefined) {
      named.push(nameIn('answers', cause.answer, options.clients.answersTo(scenario)));
    }
    const failing = registries.filter((_, index) =>
      byRuns[index]?.found.some((ending) => FAILURES.has(ending)),
    );
    const expected = cause.doctor ?? failing.map(({ name }) => name);
    if (expected.length > 0) toDoctor.push({ id, expected });
  }
  if (toDoctor.length === 0 || named.some(({ isNamed }) => !isNamed)) return named;
  const findings = await doctorFindings(options.fleet, options.lifetime);
  for (const { id, expected } of toDoctor) {
    const isNamed = expected.some((text) => findings.some((finding) => finding.includes(text)));
    named.push({ by: `doctor on ${id}`, expected, found: findings, isNamed });
  }
  return named;
}

async function namedByRuns(
  expected: readonly string[],
  registries: readonly RegistryInput[],
  { fleet }: FindNamesOptions,
): Promise<readonly Named[]> {
  const named: Named[] = [];
  for (const { name } of registries) {
    named.push(nameIn(`runs of ${name}`, expected, await runEndings(fleet, name)));
  }
  return named;
}

function nameIn(by: string, expected: readonly string[], found: readonly string[]): Named {
  return { by, expected, found, isNamed: expected.some((one) => found.includes(one)) };
}
