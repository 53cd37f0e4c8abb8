#!/usr/bin/env node
import '../../../dist/syncline.js';
