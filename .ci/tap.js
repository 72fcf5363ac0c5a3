// `npm run tap -- test/response` runs the tests of these folders or files. Without a path it runs the lane of TEST_LANE, quick
// by default. If TEST_FULL is 1, the tests try all examples. A word that begins with a dash is an option for tap, such as
// --reporter=tap. This program builds the package if lib has changed, compiles, and starts the Redis server that the tests
// share. The settings of tap are in package.json.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { compile } from './compile.js'
import { findLaneFiles, findTestFiles } from './lanes.js'
import { requireRedis, startSharedRedis } from './redis.js'
import { createEntries } from './share-processes.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const paths = process.argv.slice(2).filter((word) => !word.startsWith('-'))
const { TEST_FULL, TEST_LANE = TEST_FULL === '1' ? 'full' : 'quick' } = process.env
const options = process.argv.slice(2).filter((word) => word.startsWith('-'))
// Many of the slow tests wait for servers.
if (TEST_LANE !== 'quick') options.unshift('--jobs=5')

async function runTap (entries) {
  const redis = await startSharedRedis()
  process.once('exit', redis.stop)
  const env = { ...process.env, TEST_REDIS_PORT: String(redis.port) }
  const tap = spawn('tap', [...options, ...entries], { env, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => tap.kill(signal))
  const [status] = await once(tap, 'close')
  return status ?? 1
}

const files = paths.length > 0 ? findTestFiles(paths) : findLaneFiles(TEST_LANE)
if (files.length === 0) throw new Error('There is no test file.')
requireRedis()
// Tests of the package and the examples load dist, as a user would.
const build = spawnSync(process.execPath, ['.ci/build.js', '--if-stale'], { stdio: 'inherit' })
if (build.status !== 0) process.exit(1)
await compile()
process.exit(await runTap(createEntries(files)))
