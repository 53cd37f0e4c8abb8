import type { ConfigCheck } from '@syncline/contract';
import { checkGlobs, checkSchedules } from '@syncline/sync/config-checks';

/** What a config is held to besides its schema, wherever one is loaded. */
export const CONFIG_CHECKS: readonly ConfigCheck[] = [checkGlobs, checkSchedules];
