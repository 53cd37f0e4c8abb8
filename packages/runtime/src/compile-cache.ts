/** Turns on Node's compile cache. Import this module before all others. */
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

// The variable makes threads use the cache too. If the directory is not writable, Node works without the cache.
process.env['NODE_COMPILE_CACHE'] ||= path.join(tmpdir(), 'node-compile-cache');
enableCompileCache();
