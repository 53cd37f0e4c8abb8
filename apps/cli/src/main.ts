#!/usr/bin/env node
console.error('syncline: not there yet');
process.exitCode = 1;
