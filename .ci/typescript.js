// node --import ./.ci/typescript.js file.ts: lets Node run the TypeScript of lib and test.
// tap would use ts-node, which loads the compiler twice in each process: with a process for each test file, that took
// longer than the tests. TAP_TYPE_STRIP_ONLY, in package.json, keeps it away.
import { register } from 'node:module'

register('./typescript-hooks.js', import.meta.url)

// For coverage, tap makes each process that a test starts load @tapjs/processinfo, which takes longer than the plugin and
// sends each module through a second thread.
/* c8 ignore next 4 */ // never where coverage is measured
if (process.env._TAPJS_PROCESSINFO_COVERAGE_ === '0') {
  const { default: processOnSpawn } = await import('process-on-spawn')
  processOnSpawn.removeAllListeners()
}
