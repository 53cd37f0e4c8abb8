// `infra/setup.mjs` runs this script, so that `start` finds a Redis without a download.
import { findRedisServer } from './find-redis-server.ts';

try {
  await findRedisServer({ onProgress: (line) => console.log(`setup: ${line}`) });
} catch (error) {
  console.error(`setup: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
