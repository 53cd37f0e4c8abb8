// Run by `infra/setup.mjs`, so that `start` has a Redis without a download of its own.
import { findRedisServer } from './find-redis-server.ts';

try {
  await findRedisServer({ onProgress: (line) => console.log(`setup: ${line}`) });
} catch (error) {
  console.error(`setup: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
