import type { ConfigCheck } from '@syncline/contract';
import { checkGlobs, checkSchedules } from '@syncline/sync/config-checks';

/** The checks of every loaded config, in addition to its schema. */
export const CONFIG_CHECKS: readonly ConfigCheck[] = [checkGlobs, checkSchedules];
