// Imported before anything else. It is JavaScript, as is what imports it: until the cache is on, Node
// loads its type stripper for any TypeScript, which takes 80 ms. Node does without the cache if its
// directory is not writable.
import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// In the environment, so that threads find it too.
process.env['NODE_COMPILE_CACHE'] ||= join(tmpdir(), 'node-compile-cache');
enableCompileCache();
