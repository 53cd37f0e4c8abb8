import type { Scenario } from '../scenario.ts';
import { tokenFloods } from './access/r22-token-floods.ts';
import { hostFlood } from './access/r23-host-flood.ts';
import { openControl } from './access/x05-open-control.ts';
import { forgedConfig } from './access/x06-forged-config.ts';
import { rebinding } from './access/x11-rebinding.ts';
import { wrongTokens } from './access/x13-wrong-tokens.ts';
import { slowNames } from './access/x14-slow-names.ts';
import { echoedCredentials } from './access/x15-echoed-credentials.ts';
import { localFiles } from './access/x16-local-files.ts';
import { oddValues } from './access/x17-odd-values.ts';
import { nesting } from './bodies/r01-nesting.ts';
import { gzipBombs } from './bodies/r02-gzip-bombs.ts';
import { duplicateKeys } from './bodies/r03-duplicate-keys.ts';
import { yamlAliases } from './bodies/r04-yaml-aliases.ts';
import { oneName } from './bodies/r05-one-name.ts';
import { changingMarks } from './bodies/r06-changing-marks.ts';
import { cursorLoops } from './bodies/r07-cursor-loops.ts';
import { numbers } from './bodies/r08-numbers.ts';
import { largeRows } from './bodies/x01-large-rows.ts';
import { longCursors } from './bodies/x02-long-cursors.ts';
import { parseTrees } from './bodies/x07b-parse-trees.ts';
import { yamlKeys } from './bodies/x09-yaml-keys.ts';
import { glob } from './bodies/x10-glob.ts';
import { hundredClients } from './clients/hundred-clients.ts';
import { pipelining } from './clients/r13-pipelining.ts';
import { idleConnections } from './clients/r14-idle-connections.ts';
import { slowRequests } from './clients/r15-slow-requests.ts';
import { requestSizes } from './clients/r16-request-sizes.ts';
import { searchScans } from './clients/r17-search-scans.ts';
import { previews } from './clients/r18-previews.ts';
import { requestFlood } from './clients/r19-request-flood.ts';
import { queueFlood } from './clients/r20-queue-flood.ts';
import { slowReaders } from './clients/r21-slow-readers.ts';
import { largeAnswers } from './clients/x03-large-answers.ts';
import { registryLists } from './clients/x12-registry-lists.ts';
import { quota } from './store/x08-quota.ts';
import { gitPack } from './transport/r09-git-pack.ts';
import { slowHeaders } from './transport/r10-slow-headers.ts';
import { redirects } from './transport/r11-redirects.ts';
import { oldHttp } from './transport/r12-old-http.ts';
import { drip } from './transport/x04-drip.ts';
import { idleBodies } from './transport/x07a-idle-bodies.ts';
import { chunkExtensions } from './transport/x07c-chunk-extensions.ts';
import { gitRefs } from './transport/x07d-git-refs.ts';

/** All attacks, in the order of a run. */
export const SCENARIOS: readonly Scenario[] = [
  largeRows,
  longCursors,
  largeAnswers,
  drip,
  openControl,
  forgedConfig,
  idleBodies,
  parseTrees,
  chunkExtensions,
  gitRefs,
  quota,
  yamlKeys,
  glob,
  rebinding,
  registryLists,
  wrongTokens,
  slowNames,
  echoedCredentials,
  localFiles,
  oddValues,
  nesting,
  gzipBombs,
  duplicateKeys,
  yamlAliases,
  oneName,
  changingMarks,
  cursorLoops,
  numbers,
  gitPack,
  slowHeaders,
  redirects,
  oldHttp,
  pipelining,
  idleConnections,
  slowRequests,
  requestSizes,
  searchScans,
  previews,
  requestFlood,
  queueFlood,
  slowReaders,
  tokenFloods,
  hostFlood,
];

/** The attacks that run at once in the mixed attack: thirty servers and a hundred clients. */
export const MIXED: readonly Scenario[] = [
  largeRows,
  longCursors,
  drip,
  idleBodies,
  parseTrees,
  chunkExtensions,
  quota,
  yamlKeys,
  glob,
  nesting,
  gzipBombs,
  gitPack,
  hundredClients,
];

/** Returns the scenario with an id. @throws if there is none */
export function scenarioOf(id: string): Scenario {
  const found = [...SCENARIOS, ...MIXED].find((scenario) => scenario.id === id);
  if (found !== undefined) return found;
  throw new Error(`there is no attack ${id}. Run with --list to see all attacks`);
}
