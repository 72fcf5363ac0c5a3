// `npm run tap -- test/response`: the tests of these folders or files; without one, those of the quick lane, or of the full
// one where SLUICE_TEST_FULL is 1. What begins with a dash is an option for tap. Builds and compiles what has changed, and
// starts the Redis server that the tests share. tap's settings are in package.json, under "tap".
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { compile } from './compile.js'
import { filesOfLane, testFiles } from './lanes.js'
import { requireRedis, startSharedRedis } from './redis.js'
import { entriesOf } from './share-processes.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const options = process.argv.slice(2).filter((word) => word.startsWith('-'))
const paths = process.argv.slice(2).filter((word) => !word.startsWith('-'))
const lane = process.env.SLUICE_TEST_FULL === '1' ? 'full' : 'quick'

async function runTap (entries) {
  const redis = await startSharedRedis()
  process.once('exit', redis.stop)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  const env = { ...process.env, SLUICE_TEST_REDIS_PORT: String(redis.port) }
  const tap = spawn('tap', [...options, ...entries], { env, stdio: 'inherit' })
  const [status] = await once(tap, 'close')
  return status ?? 1
}

const files = paths.length > 0 ? testFiles(paths) : filesOfLane(lane)
if (files.length === 0) throw new Error('There is no test file.')
requireRedis()
// Tests of the package and the examples load dist as a user would.
const build = spawnSync(process.execPath, ['.ci/build.js', '--if-stale'], { stdio: 'inherit' })
if (build.status !== 0) process.exit(1)
await compile()
process.exit(await runTap(entriesOf(files)))
