import type { ConfigCheck } from '@syncline/contract';
import { checkGlobs, checkSchedules } from '@syncline/sync/config-checks';

/** The checks that every loaded config must pass, in addition to the schema. */
export const CONFIG_CHECKS: readonly ConfigCheck[] = [checkGlobs, checkSchedules];
