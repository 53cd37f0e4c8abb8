/** Turns on Node's compile cache. Imported before anything else. */
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

// In the environment, so that threads find it too. Node does without the cache if the directory is not writable.
process.env['NODE_COMPILE_CACHE'] ||= path.join(tmpdir(), 'node-compile-cache');
enableCompileCache();
