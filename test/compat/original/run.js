// `npm run compat:original -- <folder>` runs the tests of @fastify/rate-limit, from a checkout of its repository, against the
// built `fastify-sluice/compat`. The tests are not changed. Those that must fail are in corrections.json.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { requireRedis, startSharedRedis } from '../../../.ci/redis.js'
import { compareOutcomes } from './compare.js'

/** For a file. Its tests wait for real windows of a few seconds. */
const TIMEOUT_MS = 120_000

function readJson (path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

function findTestFiles (folder) {
  const paths = readdirSync(join(folder, 'test'), { recursive: true }).filter((path) => path.endsWith('.test.js'))
  return paths.sort().map((path) => join(folder, 'test', path))
}

/** One outcome for each test: `{ file, title, hasPassed, isSkipped, error }`. A title begins with those of the suites around it. */
async function runTests (folder, files) {
  const outcomes = []
  const titles = []
  const end = ({ file, name, nesting, skip, details: { type, error } }) => {
    // A suite fails with its tests. A failure of another kind, as in its hooks, is one of its own.
    if (type === 'suite' && (error === undefined || error.failureType === 'subtestsFailed')) return
    const title = [...titles.slice(0, nesting), name].join(' > ')
    const cause = String(error?.cause?.message ?? error?.cause ?? error?.message)
    outcomes.push({ file: relative(folder, file), title, hasPassed: error === undefined, isSkipped: skip !== undefined, error: cause })
  }
  // One after the other: the tests empty their Redis.
  const stream = run({ files, concurrency: false, timeout: TIMEOUT_MS })
  stream.on('test:start', ({ name, nesting }) => { titles[nesting] = name })
  stream.on('test:pass', end)
  stream.on('test:fail', end)
  await once(stream.resume(), 'end')
  return outcomes
}

const given = process.argv[2] ?? process.env.ORIGINAL_CHECKOUT
if (given === undefined) throw new Error('Name the folder of a checkout of @fastify/rate-limit: npm run compat:original -- <folder>')
const folder = resolve(given)
const { name, version } = readJson(join(folder, 'package.json'))
if (name !== '@fastify/rate-limit') throw new Error(`${folder} is a checkout of ${name}, not of @fastify/rate-limit.`)
const list = readJson(new URL('corrections.json', import.meta.url))

requireRedis()
const redis = await startSharedRedis()
process.once('exit', redis.stop)
const hook = fileURLToPath(new URL('resolve.cjs', import.meta.url))
Object.assign(process.env, { NODE_OPTIONS: `--require "${hook}"`, ORIGINAL_FOLDER: folder, ORIGINAL_REDIS_PORT: String(redis.port) })

const outcomes = await runTests(folder, findTestFiles(folder))
const differences = compareOutcomes(outcomes, list.corrections)
for (const difference of differences) console.log(difference)
const passed = outcomes.filter(({ hasPassed, isSkipped }) => hasPassed && !isSkipped).length
const skipped = outcomes.filter(({ isSkipped }) => isSkipped).length
console.log(`@fastify/rate-limit ${version}: ${outcomes.length} tests, ${passed} pass, ${outcomes.length - passed - skipped} fail, ${skipped} skipped`)
if (version !== list.version) console.log(`The corrections are those of ${list.version}.`)
console.log(differences.length === 0 ? 'Only the documented corrections fail.' : `${differences.length} differences from the documented corrections`)
process.exit(differences.length === 0 ? 0 : 1)
