// The two lanes of the tests. `npm test` runs the quick lane: all tests that are not slow by nature. `npm run test:full` runs
// the full lane: the slow tests, and all examples of the tests that try a part of them in the quick lane.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Slow by nature: servers that are killed or hang, several processes, memory over time, many random states on Redis, and programs
 * and files as a user has them.
 */
const SLOW = [
  'test/cli/usage.test.ts',
  'test/cli/warnings.test.ts',
  'test/common/expressions.test.ts',
  'test/compat/fuzz.test.ts',
  'test/compat/original/suite.test.ts',
  'test/compat/original/types.test.ts',
  'test/config/file/watch.test.ts',
  'test/docker-compose.test.ts',
  'test/docs/api.test.ts',
  'test/docs/with-other-plugins.test.ts',
  'test/examples',
  'test/histories/recorded.test.ts',
  'test/integration/books',
  'test/integration/causes.test.ts',
  'test/integration/cluster',
  'test/integration/failures',
  'test/integration/fleet',
  'test/integration/redis/carry-over-twins.test.ts',
  'test/integration/redis/damaged-logs.test.ts',
  'test/integration/redis/lease-clients.test.ts',
  'test/integration/redis/lease-versions.test.ts',
  'test/integration/redis/sliding-window-twins.test.ts',
  'test/integration/redis/stored-values.test.ts',
  'test/integration/redis/token-bucket-batches.test.ts',
  'test/integration/reload/file.test.ts',
  'test/integration/reload/leak.test.ts',
  'test/integration/reload/signal.test.ts',
  'test/integration/reload/walks.test.ts',
  'test/integration/sentinel',
  'test/package',
  'test/regressions/closed-cluster-keeps-the-process.test.ts',
  'test/regressions/damaged-value-in-redis-spoils-others.test.ts',
  'test/regressions/null-reply-ends-the-process.test.ts',
  'test/regressions/refused-upload-is-read-to-its-end.test.ts',
  'test/regressions/request-after-quit-never-ends.test.ts',
  'test/routes/page/browser.test.ts'
]

/** The longest of them: a run on a bare machine has no time for these. */
const LONGEST = [
  'test/common/expressions.test.ts',
  'test/docs/api.test.ts',
  'test/histories/recorded.test.ts',
  'test/integration/fleet/lease-outages.test.ts',
  'test/integration/fleet/leases.test.ts',
  'test/integration/reload/leak.test.ts',
  'test/integration/sentinel/leases.test.ts'
]

/** A test that imports one of these has more examples in the full lane: see test/fixtures/lane.ts. */
const HAS_MORE = /\/fixtures\/(?:lane|property)\.js'/

function isBelow (path, folder) {
  return path === folder || path.startsWith(`${folder}/`)
}

/** The test files with one of these paths, or in one of these folders. */
export function findTestFiles (paths = ['test']) {
  const missing = paths.find((path) => !existsSync(path))
  if (missing !== undefined) throw new Error(`There is no ${missing}.`)
  const files = readdirSync('test', { recursive: true }).map((path) => join('test', path)).filter((path) => path.endsWith('.test.ts')).sort()
  return files.filter((file) => paths.some((path) => isBelow(file, join(path))))
}

export function isSlow (file) {
  return SLOW.some((path) => isBelow(file, path))
}

/** The test files of a lane: `quick`, `full`, or `all` for both without the longest. */
export function findLaneFiles (lane) {
  const missing = [...SLOW, ...LONGEST].find((path) => !existsSync(path))
  if (missing !== undefined) throw new Error(`There is no ${missing}: change the list of slow tests.`)
  const isInFull = (file) => isSlow(file) || HAS_MORE.test(readFileSync(file, 'utf8'))
  const isInLane = { quick: (file) => !isSlow(file), full: isInFull, all: (file) => !LONGEST.includes(file) }[lane]
  return findTestFiles().filter(isInLane)
}
