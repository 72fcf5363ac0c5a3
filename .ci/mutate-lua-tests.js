// Runs the tests of the Lua scripts with one script replaced: see mutate-lua.js.
import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { pathToFileURL } from 'node:url'
import { toCompiledPath } from './compile.js'
import { findTestFiles } from './lanes.js'

const send = process.send.bind(process)
process.send = () => true // of tap, which reports its time limit to its parent

/** Slower tests are left out. */
const MAX_TEST_MS = 5000

/** A slow machine fails them. */
const TIMED = /calls\.test\.ts: .*(?:travel|turn)|a closed instance gives back/

const STORE = ['contract', 'twins', 'versions', 'calls', 'expiry']
const ALGORITHMS = ['vectors', 'carry-over-twins', 'sliding-window-twins', 'stored-values', 'damaged-logs', 'damaged-values', 'clock-steps', ...STORE]
const PENALTIES = ['vectors', 'stored-values', 'penalties', 'refused-writes', 'contract', 'twins', 'expiry']
const LEASES = ['vectors', 'lease-requests', 'lease-twins', 'lease-corrections', 'stored-values', 'carry-over-twins', ...STORE]
const TAKE = [
  ...STORE, 'slots', 'vectors', 'clock-steps', 'penalties', 'periods', 'partitions', 'refused-writes', 'lease-requests', 'lease-twins', 'lease-corrections'
]
const ALL = [...new Set([...ALGORITHMS, ...PENALTIES, ...LEASES, ...TAKE, 'concurrency-twins'])]

/** The tests that run a script. All others run all. */
const OWN_TESTS = {
  adjust: [...STORE, 'adjustments', 'periods', 'refused-writes', 'lease-corrections', 'damaged-logs'],
  'carry-over': ALGORITHMS,
  lease: LEASES,
  penalty: PENALTIES,
  'penalty-state': PENALTIES,
  'publish-summary': ['summaries'],
  'read-summaries': ['summaries'],
  'report-slots': ['report-slots', 'contract'],
  reset: [...STORE, 'vectors', 'penalties', 'lease-requests', 'lease-twins', 'lease-corrections'],
  'sliding-window': ALGORITHMS,
  take: TAKE,
  'take-token-buckets': ['token-bucket-fast-path', 'token-bucket-batches', 'refused-writes', 'lease-twins'],
  'token-bucket': ALGORITHMS,
  'write-switch': ['summaries']
}

/** `null`: of all scripts. */
const scripts = JSON.parse(process.env.MUTATED_SCRIPTS ?? 'null') ?? ['take', ...Object.keys(OWN_TESTS)]
const FILES = [...new Set(scripts.flatMap((script) => OWN_TESTS[script] ?? ALL))].map((name) => name === 'damaged-values'
  ? 'test/regressions/damaged-value-in-redis-spoils-others.test.ts'
  : `test/integration/redis/${name}.test.ts`)

EventEmitter.defaultMaxListeners = 0 // all tests are in one process
fc.configureGlobal({ endOnFailure: true })
const { loadTests, runTest } = await import('./mutation-tests.js')
const tests = (await loadTests(findTestFiles(FILES))).filter(({ id }) => !TIMED.test(id))
const { luaFiles } = await import(pathToFileURL(toCompiledPath('lib/stores/redis/lua-files.js')).href)
const originals = { ...luaFiles }

const costs = new Map()
/** By id. A test that passes once only, or only after others, would kill every mutant. */
const unfit = new Set()

async function findUnfit (tests) {
  const failures = []
  for (const test of tests) {
    const startMs = performance.now()
    if (await runTest(test) !== null) failures.push(test.id)
    costs.set(test.id, performance.now() - startMs)
    if (costs.get(test.id) > MAX_TEST_MS) unfit.add(test.id)
  }
  const byCost = tests.toSorted((a, b) => costs.get(a.id) - costs.get(b.id))
  for (const order of [byCost, byCost.toReversed(), tests]) {
    for (const test of order) if (!unfit.has(test.id) && await runTest(test) !== null) unfit.add(test.id)
  }
  return failures
}

function toRun (own) {
  return tests.filter(({ id }) => !unfit.has(id)).sort((a, b) => (own.get(b) ?? 0) - (own.get(a) ?? 0) || costs.get(a.id) - costs.get(b.id))
}

/** How often each test has killed a mutant of each script: those are run first. */
const kills = new Map()

async function findKiller (script) {
  const own = kills.get(script) ?? new Map()
  kills.set(script, own)
  for (const test of toRun(own)) {
    if (await runTest(test) === null) continue
    own.set(test, (own.get(test) ?? 0) + 1)
    return test.id
  }
  return null
}

process.on('message', async ({ script, text }) => {
  Object.assign(luaFiles, originals, { [script]: text })
  send({ killedBy: await findKiller(script) })
})
const known = JSON.parse(process.env.KNOWN_TESTS ?? 'null')
for (const [id, ms] of known?.costs ?? []) costs.set(id, ms)
for (const id of known?.unfit ?? []) unfit.add(id)
const failures = await findUnfit(tests.filter(({ id }) => !costs.has(id)))
send({ failures, costs: [...costs], unfit: [...unfit] })
