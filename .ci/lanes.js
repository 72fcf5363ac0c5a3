// Which tests run where. `npm test` runs the quick lane: all but what is slow by nature. `npm run test:full` runs the full
// lane: what is slow by nature, and once more what tries fewer examples in the quick lane.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Servers that are killed or hang, several processes, memory over time, and programs run as a user would run them. */
const SLOW = [
  'test/docs/api.test.ts',
  'test/examples',
  'test/integration/cluster',
  'test/integration/failures',
  'test/integration/fleet',
  'test/integration/reload/leak.test.ts',
  'test/integration/sentinel',
  'test/package',
  'test/regressions/closed-cluster-keeps-the-process.test.ts'
]

/** A test that imports one of these does more in the full lane: see test/fixtures/lane.ts. */
const DOES_MORE = /\/fixtures\/(?:lane|property)\.js'/

function isBelow (path, folder) {
  return path === folder || path.startsWith(`${folder}/`)
}

/** The test files that are one of these paths, or stand below one. */
export function testFiles (paths = ['test']) {
  const missing = paths.find((path) => !existsSync(path))
  if (missing !== undefined) throw new Error(`There is no ${missing}.`)
  const files = readdirSync('test', { recursive: true }).map((path) => join('test', path)).filter((path) => path.endsWith('.test.ts')).sort()
  return files.filter((file) => paths.some((path) => isBelow(file, join(path))))
}

/** The test files of the lane `quick` or `full`. */
export function filesOfLane (lane) {
  const slow = testFiles(SLOW)
  if (lane === 'full') return testFiles().filter((file) => slow.includes(file) || DOES_MORE.test(readFileSync(file, 'utf8')))
  return testFiles().filter((file) => !slow.includes(file))
}
