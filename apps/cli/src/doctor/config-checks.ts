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
        why: 'a scheduler does not start with it; one that runs keeps the config before it',
        advice: 'put it right; syncline validate tells of every problem with its place',
      });
  }
}

function checkInForce(file: FileFacts, inForce: InForceFacts): Finding {
  const check = 'config in force';
  if (inForce.state === 'none') {
    return problem(check, {
      found: 'none',
      why: 'workers and apis follow what a scheduler has stored, and nothing is stored',
      advice: 'start syncline scheduler, or syncline up; check SYNCLINE_PREFIX',
    });
  }
  if (inForce.state === 'unreadable') {
    return problem(check, {
      found: 'one that this build does not understand',
      why: 'processes of this version keep what they had, or have nothing to do',
      advice: 'run one version everywhere, and restart the scheduler',
    });
  }
  const { digest, registries } = inForce;
  const found = `${digest.slice(0, 12)}, registries: ${registries}`;
  if (file.state !== 'good' || file.digest === digest) return ok(check, found);
  return warning(check, {
    found: `${found}; the file here is another, ${file.digest.slice(0, 12)}`,
    why: 'a change of the file is in force once the scheduler that watches it has seen it',
    advice: 'look whether a scheduler runs with this very file, and at its log',
  });
}
