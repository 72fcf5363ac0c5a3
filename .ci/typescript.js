// node --import ./.ci/typescript.js file.ts: lets Node run the TypeScript of lib and test.
// tap would use ts-node, which loads the compiler twice in each process: with a process for each test file, that took
// longer than the tests. TAP_TYPE_STRIP_ONLY, in package.json, keeps it away.
import { register } from 'node:module'

register('./typescript-hooks.js', import.meta.url)
