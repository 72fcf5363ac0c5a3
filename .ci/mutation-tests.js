// The test files of a part, loaded once into this process, and run one test at a time: with a mutant active, thousands of times.
// A file that imports tap gets `collect`, which notes the tests at its top instead of running them. Each runs in a Test of tap's own.
import { register } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import root, { Test } from 'tap'
import { toCompiledPath } from './compile.js'

// tap would end the process after half a minute.
root.setTimeout(2 ** 31 - 1)

const collected = []
const atEnd = []
/** Of assertions that a fixture makes outside of a test. */
const failures = []

/** What the compiled test file at a URL imports as `tap`. */
export function collect (url) {
  const file = url.replace(/^.*\/\.compiled\//, '').replace(/\.js$/, '.ts')
  const hooks = []
  const addHook = (name) => (hook) => { hooks.push([name, hook]) }
  return {
    test: (name, ...rest) => {
      const options = typeof rest[0] === 'object' ? rest[0] : {}
      if (options.skip || options.todo) return
      const before = [...hooks]
      collected.push({ id: `${file}: ${name}`, name, file, options, body: rest.at(-1), hooks: before })
    },
    before: addHook('before'),
    beforeEach: addHook('beforeEach'),
    afterEach: addHook('afterEach'),
    teardown: (end) => { atEnd.push(end) },
    after: (end) => { atEnd.push(end) },
    setTimeout: () => {},
    fail: (message) => { failures.push(message) }
  }
}

/** Load test files that are compiled, and return their tests in order. The ids are unique. */
export async function loadTests (files) {
  globalThis.collectTests = collect
  register('./mutation-hooks.js', import.meta.url)
  for (const file of files) await import(pathToFileURL(toCompiledPath(file)).href)
  const counts = new Map()
  for (const test of collected) {
    const count = (counts.get(test.id) ?? 0) + 1
    counts.set(test.id, count)
    if (count > 1) test.id += ` (${count})`
  }
  return collected
}

/**
 * Empty all databases, since each test has run before, and compose the scripts again. Database 0 has the number of the last one
 * that a test took.
 */
export async function emptyRedis () {
  globalThis.luaGeneration = (globalThis.luaGeneration ?? 0) + 1
  redis ??= new Redis(Number(process.env.TEST_REDIS_PORT), '127.0.0.1')
  const taken = await redis.get('databases')
  await redis.flushall()
  if (taken !== null) await redis.set('databases', taken)
}

let redis = null

/** Run one test. Resolves with `null` if it passed, else with what failed first. */
export async function runTest ({ name, options, body, hooks }) {
  failures.length = 0
  if (process.env.TEST_REDIS_PORT !== undefined) await emptyRedis()
  const parent = new Test({
    name,
    cb: async (parent) => {
      for (const [hook, callback] of hooks) parent[hook](callback)
      await parent.test(name, options, body)
    }
  })
  parent.resume()
  await new Promise((resolve) => { parent.main(resolve) })
  if (parent.passing()) return failures[0] ?? null
  return firstFailure(parent.results) ?? 'failed'
}

function firstFailure (results) {
  const failure = results?.failures?.[0]
  return failure === undefined ? null : [failure.fullname, failure.name, failure.diag?.diff].filter(Boolean).join('\n')
}

/** What the files asked to be ended at the end of their process. */
export async function endTests () {
  for (const end of atEnd.reverse()) await end()
  redis?.disconnect()
}
