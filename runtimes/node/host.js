'use strict'
// `node host.js [--environment=FOLDER] INPUT OUTPUT`: host.mjs. Where node can it is loaded without the asynchronous loader, which takes 4 ms to begin.

if (process.features.require_module) require('./host.mjs')
else import('./host.mjs')
