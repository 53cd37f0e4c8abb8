#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// Before anything else is loaded. Node goes without a cache if its directory is not writable.
enableCompileCache();
const { runCommandLine } = await import('./command-line.ts');
process.exitCode = await runCommandLine(process.argv.slice(2));
