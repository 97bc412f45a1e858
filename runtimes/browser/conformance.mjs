// The page of chromium.py.

new Worker(new URL(`conformance.worker.mjs${location.search}`, import.meta.url), { type: 'module' })
