export { CONFIG_CHECKS } from './config-checks.ts';
export { startScheduler } from './start-scheduler.ts';
