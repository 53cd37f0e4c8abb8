import type { SourceKind } from '@syncline/contract';
import { formatTook } from '../format/age.ts';
import { type Finding, ok, problem } from './finding.ts';

export interface SourceFacts {
  readonly registry: string;
  readonly kind: SourceKind;
  /** Without credentials. */
  readonly location: string;
  readonly tookMs: number;
  readonly trouble: { readonly code: string; readonly message: string } | undefined;
}

const ADVICE: Readonly<Record<string, string>> = {
  'source-address-refused':
    'if it is meant to be asked, name the address or host in network.allow of the config',
  'source-credential-unreadable': 'put the file there, readable for the user of the workers',
  'source-file-missing': 'put the file there, on every machine that runs workers',
  'source-file-unreadable': 'let the user of the workers read the file',
  'source-http-status': 'check address and credentials: the upstream has answered',
  'source-rate-limited': 'ask it less often: syncPolicy.interval, network.budgets',
  'source-ref-missing': 'check branch, tag or commit',
  'source-unreachable': 'check address, DNS, firewall and proxy of this machine',
};
const OTHER_ADVICE = 'docs/errors.md says what to do about each code';

/** Whether each source answers this machine; workers on others may fare differently. */
export function checkSources(sources: readonly SourceFacts[]): Finding[] {
  return sources.map(({ registry, kind, location, tookMs, trouble }) => {
    const check = `source of ${registry}`;
    if (trouble === undefined) {
      return ok(check, `${kind} ${location}, asked from here in ${formatTook(tookMs)}`);
    }
    return problem(check, {
      found: `${trouble.message} (${trouble.code}), asked from this machine`,
      why: 'what cannot be read is not synced; the last good copy stays',
      advice: ADVICE[trouble.code] ?? OTHER_ADVICE,
    });
  });
}
