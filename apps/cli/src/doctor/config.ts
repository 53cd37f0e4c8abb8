import { type Finding, ok, problem, warning } from './finding.ts';

/** The config file that this machine would use. */
export type FileFacts =
  | { readonly state: 'good'; readonly path: string; readonly digest: string }
  | { readonly state: 'bad'; readonly path: string; readonly problems: readonly string[] }
  | { readonly state: 'missing'; readonly path: string };

/** The config in force. */
export type InForceFacts =
  | { readonly state: 'good'; readonly digest: string; readonly registries: number }
  | { readonly state: 'unreadable' }
  | { readonly state: 'none' };

/** @param inForce undefined where Redis could not be asked */
export function checkConfig(file: FileFacts, inForce: InForceFacts | undefined): Finding[] {
  return [checkFile(file), ...(inForce === undefined ? [] : [checkInForce(file, inForce)])];
}

function checkFile(file: FileFacts): Finding {
  const check = 'config file';
  switch (file.state) {
    case 'good':
      return ok(check, file.path);
    case 'missing':
      return ok(check, `there is no ${file.path} here; only schedulers need one`);
    case 'bad':
      return problem(check, {
        found: file.problems.join('; '),
        why: 'a scheduler cannot start with it; a running one keeps the previous config',
        advice: 'correct it; syncline validate shows each problem with its line',
      });
  }
}

function checkInForce(file: FileFacts, inForce: InForceFacts): Finding {
  const check = 'config in force';
  if (inForce.state === 'none') {
    return problem(check, {
      found: 'none',
      why: 'workers and apis use the config that a scheduler stores',
      advice: 'start syncline scheduler, or syncline up; check SYNCLINE_PREFIX',
    });
  }
  if (inForce.state === 'unreadable') {
    return problem(check, {
      found: 'a config that this version does not understand',
      why: 'processes of this version keep the previous config, or have none',
      advice: 'run one version everywhere, and restart the scheduler',
    });
  }
  const { digest, registries } = inForce;
  const found = `${digest.slice(0, 12)}, registries: ${registries}`;
  if (file.state !== 'good' || file.digest === digest) return ok(check, found);
  return warning(check, {
    found: `${found}; the file here differs, ${file.digest.slice(0, 12)}`,
    why: 'a change takes effect when the scheduler that watches the file has read it',
    advice: 'check that a scheduler runs with this file, and read its log',
  });
}
