// `npm run mutation -- --only algorithms` changes one thing after the other in a part of lib, and runs the tests that cover it.
// What no test notices is a survivor. By hand only: it takes minutes. Parts: see PARTS, and `lua`, for the scripts (mutate-lua.js).
//   --mutate PATTERN  only these files, or this script; may be repeated
//   --tests PATH      only these tests, for a quick first pass: what they notice is not tried again; may be repeated
//   --survivors       of the scripts, only what survived the last time
// Reports are in .mutation, where mutants that were killed are noted: delete it to run all of them again. docs/guarantees.md has the
// scores, and what survives.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { compile } from './compile.js'
import { findTestFiles } from './lanes.js'
import { startSharedRedis } from './redis.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

/** Tests over Redis that start no server, and what they share. */
const OVER_REDIS = ['contract', 'calls', 'clock-steps', 'partitions', 'penalties', 'periods', 'concurrency-twins', 'twins']
const LEASES_OVER_REDIS = ['lease-corrections', 'lease-shutdown']

const inRedisFolder = (names) => names.map((name) => `test/integration/redis/${name}.test.ts`)

/** A part of their own: their tests have no server, and emit the events of clients that stand in for those of ioredis. */
const CONNECTIONS = ['authenticator', 'cluster-command-timeout', 'connect', 'connections', 'idle-watchdog', 'process-guards', 'watch-database']
const POOL_TESTS = ['connection-pool', 'connection-pool-calls', 'connection-pool-end']
const TESTS_OF_CONNECTIONS = [...CONNECTIONS.filter((name) => name !== 'connections'), 'connect-cluster', ...POOL_TESTS]

/** Tests of whole applications that reach what test/request does not. */
const OF_REQUESTS = [
  'test/regressions/handler-timeout-answers-503-while-held.test.ts',
  'test/response/refusal.test.ts',
  ...['callbacks', 'concurrency', 'refund-on', 'several-policies', 'throttle'].map((name) => `test/plugin/${name}.test.ts`)
]

/** What is changed, and the tests that must notice it: cheap ones. `hasRedis`: they share one server. */
const PARTS = {
  algorithms: { mutate: ['lib/algorithms/**/*.ts'], tests: ['test/algorithms', 'test/models/breaker.test.ts', 'test/resilience/breaker.test.ts'] },
  request: { mutate: ['lib/request/**/*.ts'], tests: ['test/request', ...OF_REQUESTS] },
  memory: {
    mutate: ['lib/stores/memory/**/*.ts'],
    // Redis is a second opinion on changes of limits, and on clocks that step back.
    tests: ['test/stores/memory', 'test/regressions/lowered-window-counts-on.test.ts', ...inRedisFolder(['twins', 'concurrency-twins'])],
    hasRedis: true,
    maxMutantMs: 3000
  },
  lease: { mutate: ['lib/stores/lease/**/*.ts'], tests: ['test/stores/lease', ...inRedisFolder(LEASES_OVER_REDIS)], hasRedis: true },
  redis: {
    mutate: ['lib/stores/*.ts', 'lib/stores/redis/*.ts', ...CONNECTIONS.map((name) => `!lib/stores/redis/${name}.ts`)],
    tests: ['test/stores/redis', 'test/stores/store.test.ts', ...inRedisFolder(OVER_REDIS)],
    hasRedis: true,
    maxMutantMs: 6000
  },
  connections: {
    mutate: CONNECTIONS.map((name) => `lib/stores/redis/${name}.ts`),
    tests: TESTS_OF_CONNECTIONS.map((name) => `test/stores/redis/${name}.test.ts`)
  }
}

/** All of their tests are slow, and it takes longer to find that out than to run the mutants of a file. */
const SLOW = ['test/algorithms/sliding-window-yield.test.ts']

/** Slower tests are left out: each survivor would run all of them. Milliseconds of the processor, of which counting what is covered takes most. */
const MAX_TEST_MS = 1000

/** A mutant survives after so much time of the processor, although some tests were not run. */
const MAX_MUTANT_MS = 60_000

function toOptions (part, { mutate, tests, maxTestMs = MAX_TEST_MS, maxMutantMs = MAX_MUTANT_MS }) {
  return {
    mutate,
    testRunner: 'in-process',
    plugins: [fileURLToPath(new URL('mutation-runner.js', import.meta.url))],
    inProcess: { files: findTestFiles(tests).filter((file) => !SLOW.includes(file)), maxTestMs, maxMutantMs, log: resolve(`.mutation/${part}.log`) },
    buildCommand: 'node .ci/mutation.js --compile',
    coverageAnalysis: 'perTest',
    concurrency: 1,
    timeoutMS: 20_000,
    dryRunTimeoutMinutes: 30,
    jsonReporter: { fileName: `.mutation/${part}.json` },
    reporters: ['clear-text', 'json', 'progress-append-only'],
    clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
    tempDirName: `.mutation/${part}-sandbox`,
    ignorePatterns: ['.compiled', '.modules', '.tap', '.mutation', 'bench', 'dist', 'examples'],
    warnings: { unknownOptions: false },
    allowConsoleColors: false
  }
}

const OPTIONS = {
  only: { type: 'string' },
  mutate: { type: 'string', multiple: true },
  tests: { type: 'string', multiple: true },
  survivors: { type: 'boolean' },
  compile: { type: 'boolean' }
}

async function run ({ only, mutate, tests, survivors, compile: compileOnly }) {
  // In the copy of the repository that Stryker has instrumented.
  if (compileOnly) return await compile()
  if (only === 'lua') {
    const options = [...(mutate ?? []).map((script) => `--mutate=${script}`), ...survivors ? ['--survivors'] : []]
    return spawnSync(process.execPath, ['.ci/mutate-lua.js', ...options], { stdio: 'inherit' })
  }
  const parts = Object.entries(PARTS).filter(([part]) => only === undefined || only === part)
  if (parts.length === 0) throw new Error(`The parts are: ${Object.keys(PARTS).join(', ')}, lua.`)
  mkdirSync('.mutation', { recursive: true })
  const { Stryker } = await import('@stryker-mutator/core')
  for (const [part, { hasRedis, ...paths }] of parts) {
    const chosen = { ...paths, ...mutate && { mutate }, ...tests && { tests } }
    const redis = hasRedis ? await startSharedRedis() : null
    // The process of the tests inherits it.
    if (redis !== null) process.env.TEST_REDIS_PORT = String(redis.port)
    process.once('exit', () => { redis?.stop() })
    try {
      await new Stryker(toOptions(part, chosen)).runMutationTest()
    } finally {
      redis?.stop()
      delete process.env.TEST_REDIS_PORT
    }
  }
}

await run(parseArgs({ options: OPTIONS }).values)
