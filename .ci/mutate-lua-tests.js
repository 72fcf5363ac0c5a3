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

const NAMES = [
  'vectors', 'contract', 'twins', 'concurrency-twins', 'lease-twins', 'penalties', 'periods', 'expiry', 'versions'
]
const FILES = NAMES.map((name) => `test/integration/redis/${name}.test.ts`)

EventEmitter.defaultMaxListeners = 0 // all tests are in one process
fc.configureGlobal({ endOnFailure: true })
const { loadTests, runTest } = await import('./mutation-tests.js')
const tests = await loadTests(findTestFiles(FILES))
const { luaFiles } = await import(pathToFileURL(toCompiledPath('lib/stores/redis/lua-files.js')).href)
const originals = { ...luaFiles }

const costs = new Map()
/** By id. A test that passes once only, or only after others, would kill every mutant. */
const unfit = new Set()

async function findUnfit () {
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
// After a mutant that never returned, it is known.
const known = JSON.parse(process.env.KNOWN_TESTS ?? 'null')
if (known !== null) {
  for (const [id, ms] of known.costs) costs.set(id, ms)
  for (const id of known.unfit) unfit.add(id)
}
const failures = known === null ? await findUnfit() : []
send({ failures, costs: [...costs], unfit: [...unfit] })
