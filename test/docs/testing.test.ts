// The recipes of docs/testing.md. Vitest and Jest mock time by @sinonjs/fake-timers; here it stands in for them, with their settings.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mock } from 'node:test'
import FakeTimers, { type FakeMethod } from '@sinonjs/fake-timers'
import Fastify, { type LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { rateLimitPlugin } from '../../lib/index.js'
import { ManualClock } from '../../lib/testing/index.js'
import { statuses } from '../fixtures/app.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { createSnippetApp, parseSnippets, readPage, run, type SnippetScope } from './snippets.js'

const page = readPage('docs/testing.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

/** The blocks under a heading, with the plugin as it is shipped. */
function blocksOf (heading: string): string[] {
  RUN.add(heading)
  return parseSnippets(page).filter((snippet) => snippet.heading === heading).map(({ code }) => code)
}

/** Runs the test that a block defines, and the number of statements that it made. */
async function runTest (t: Test, code: string, given: SnippetScope): Promise<void> {
  const tests: Array<(context: object) => Promise<void>> = []
  const expect = (actual: unknown) => ({ toBe: (expected: unknown) => { assert.equal(actual, expected) } })
  const test = (_: string, body: (context: object) => Promise<void>) => { tests.push(body) }
  await run(code, undefined, { rateLimitPlugin, ManualClock, assert, expect, test, ...given })
  t.equal(tests.length, 1)
  await tests[0]({ mock })
}

/** The part of `vi` and `jest` that the page uses. */
function fakeTimers (t: Test, byDefault: readonly FakeMethod[]) {
  let clock: ReturnType<typeof FakeTimers.install> | null = null
  const useRealTimers = () => {
    clock?.uninstall()
    clock = null
  }
  t.teardown(useRealTimers)
  return {
    useFakeTimers ({ doNotFake = [] }: { readonly doNotFake?: readonly FakeMethod[] } = {}) {
      clock = FakeTimers.install({ toFake: byDefault.filter((name) => !doNotFake.includes(name)) })
    },
    useRealTimers,
    advanceTimersByTime: (ms: number) => { clock?.tick(ms) }
  }
}

const ALL: readonly FakeMethod[] = [
  'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date', 'performance', 'hrtime', 'nextTick', 'queueMicrotask'
]

for (const [title, heading] of [['a test moves the clock', 'A clock that the test moves'], ['clients by their addresses', 'Several clients']]) {
  t.test(title, async (t) => {
    const [code] = blocksOf(heading)
    const seen: number[] = []
    const app = Fastify()
    t.teardown(() => app.close())
    app.addHook('onResponse', async (_, reply) => { seen.push(reply.statusCode) })
    await run(code, app, { rateLimitPlugin, ManualClock })
    t.strictSame(seen, Array.from(code.matchAll(/\/\/ (\d+)/g), ([, status]) => Number(status)))
  })
}

t.test('it releases held requests', async (t) => {
  const [code] = blocksOf('Held requests')
  const printed: unknown[] = []
  const app = Fastify()
  t.teardown(() => app.close())
  await run(code, app, { rateLimitPlugin, ManualClock, console: { log: (text: unknown) => printed.push(text) } })
  t.strictSame(printed, [200])
})

t.test('node:test', async (t) => {
  for (const code of blocksOf('node:test')) {
    await runTest(t, code, {})
    mock.timers.reset()
  }
})

t.test('the fake timers of node:test alone do not move a limit', async (t) => {
  mock.timers.enable()
  t.teardown(() => mock.timers.reset())
  const app = Fastify()
  await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute' })
  app.get('/', async () => 'hello')
  t.strictSame(await statuses(app, 2), [200, 429])
  mock.timers.tick(60_000)
  t.strictSame(await statuses(app, 1), [429])
  await app.close()
})

t.test('Vitest', async (t) => {
  const [code] = blocksOf('Vitest')
  await runTest(t, code, { vi: fakeTimers(t, ALL.filter((name) => name !== 'nextTick' && name !== 'queueMicrotask')) })
})

t.test('Jest', async (t) => {
  const [code] = blocksOf('Jest')
  await runTest(t, code, { jest: fakeTimers(t, ALL) })
})

t.test('with all that Jest mocks, an injected request is never answered', async (t) => {
  const app = Fastify()
  app.get('/', async () => 'hello')
  await app.ready()
  const { setImmediate: turn } = globalThis
  const timers = fakeTimers(t, ALL)
  timers.useFakeTimers()
  let answered: LightMyRequestResponse | null = null
  app.inject('/').then((response) => { answered = response }, t.error)
  await new Promise((resolve) => { turn(resolve) })
  t.equal(answered, null)
  timers.useRealTimers()
})

t.test('reset empties the buckets of a client', async (t) => {
  const [code] = blocksOf('Between tests')
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute', clock: new ManualClock() })
  app.get('/', async () => 'hello')
  t.strictSame(await statuses(app, 2), [200, 429])
  await run(code, app)
  t.strictSame(await statuses(app, 2), [200, 429])
})

t.test('each test has keys of its own in Redis', async (t) => {
  blocksOf('With Redis')
  const { url } = await shareRedis()
  for (const name of ['first', 'second']) {
    const app = await createSnippetApp(t, page, 'With Redis', { randomUUID, rateLimitPlugin, process: { env: { REDIS_URL: url } } })
    t.strictSame(await statuses(app, 2), [200, 429], name)
  }
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
