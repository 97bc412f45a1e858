// What a page imports to be a runner: import { join } from '/runner.js' (docs/browser.md).
export { join } from './runner/browser/join.mjs'
