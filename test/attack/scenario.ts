import type { ConfigInput } from '@syncline/contract';
import type { RedisSettings } from '@syncline/runtime/redis-server';
import type { AttackedFleet } from './fleet.ts';
import type { Tally } from './hostile/tally.ts';

export type RegistryInput = ConfigInput['registries'][number];

/**
 * One attack. Its servers and clients run in processes of their own, which load this object by its id. So a scenario
 * keeps no state that both an attacker and the harness need.
 */
export interface Scenario {
  /** `X1` and so on for a case of the list, `R1` and so on for its relatives. */
  readonly id: string;
  readonly title: string;
  /** Hostile servers by name. Each function starts one in the attackers' process, and returns its URL. */
  readonly upstreams?: Readonly<Record<string, () => Promise<string>>>;
  /**
   * Returns the registries that read the hostile servers. Default: for each server, an api source with an interval
   * of five seconds.
   */
  readonly registries?: (context: RegistriesContext) => readonly RegistryInput[];
  /** Attacks the api until `target.signal` aborts. Runs in the process of the hostile clients. */
  readonly clients?: (target: ClientTarget) => Promise<unknown>;
  /** Settings of the fleet that differ from the defaults. */
  readonly fleet?: FleetSettings;
  readonly cause: Cause;
  /** Looks for what an attacker must not get. Runs in the harness, during the attack. Returns what it found. */
  readonly inspect?: (context: InspectContext) => Promise<readonly string[]>;
}

export interface RegistriesContext {
  /** The URLs of the hostile servers, by name. */
  readonly urls: Readonly<Record<string, string>>;
  /** A directory for files of the scenario. It lasts as long as the fleet. */
  readonly directory: string;
}

export interface ClientTarget {
  readonly apiUrl: string;
  readonly token: string;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  /** The loopback address from which the clients connect. Readers never use it. */
  readonly localAddress: string;
}

export interface InspectContext extends RegistriesContext {
  readonly fleet: AttackedFleet;
  /** What the attackers have reported so far. */
  readonly reports: () => readonly string[];
}

export interface FleetSettings {
  /** How the fleet gets its admin token. Default: a file that the environment names. */
  readonly token?: 'file' | 'none';
  readonly env?: (context: RegistriesContext) => Readonly<Record<string, string>>;
  /** Settings of the separate Redis. `up` starts its own. */
  readonly redis?: RedisSettings;
  /** The number of rows of a large honest registry, `library`. Default: there is none. */
  readonly libraryRows?: number;
}

/** What must name the cause of the attack. */
export interface Cause {
  /**
   * A run of each hostile registry must end in one of these ways: with an error code, or with the outcome
   * `published`, `unchanged` or `held`. Absent: there are no runs to look at.
   */
  readonly run?: readonly string[];
  /**
   * A finding of `doctor` that is not `ok` must contain one of these texts. Default: each hostile registry, if its
   * run must end with an error.
   */
  readonly doctor?: readonly string[];
  /** The hostile clients must have got an answer with one of these codes, or connections must have been refused. */
  readonly answer?: readonly string[];
}
