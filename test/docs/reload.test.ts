// What docs/configuration.md says of a server that runs.
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { RateLimitOptionsSchema } from '../../lib/config/schema/options-schema.js'
import { statuses } from '../fixtures/app.js'
import { createSnippetApp, readPage } from './snippets.js'

const page = readPage('docs/configuration.md')
const [, file] = /^```toml\n([^]*?)^```$/m.exec(page) ?? []

t.test('what is said to be fixed are options', async (t) => {
  const names = fixedOptions()
  t.ok(names.length > 10)
  for (const name of names) t.ok(Object.hasOwn(RateLimitOptionsSchema.properties, name), name)
})

/** What is said not to change at run time, but for `hook`. */
function fixedOptions (): string[] {
  const [, list] = /^(`name`, [^]*?), and the `hook`/m.exec(page) ?? []
  return Array.from(list.matchAll(/`(\w+)`/g), ([, name]) => name)
}

async function left (app: FastifyInstance): Promise<number> {
  return Number((await app.inject('/')).headers['x-ratelimit-remaining'])
}

t.test('a config file is read where the application starts', async (t) => {
  const before = process.cwd()
  process.chdir(t.testdir({ 'rate-limit.toml': file }))
  t.teardown(() => process.chdir(before))
  const app = await createSnippetApp(t, page, 'A config file')
  t.equal(await left(app), 99)
  t.equal((await app.inject({ method: 'POST', url: '/login' })).headers['x-ratelimit-limit'], '5')
})

async function withLimits (t: Test): Promise<{ app: FastifyInstance, change: (payload: object) => Promise<number> }> {
  const app = await createSnippetApp(t, page, 'Changing limits while running', { isOperator: async () => {} })
  return { app, change: async (payload) => (await app.inject({ method: 'PUT', url: '/limits', payload })).statusCode }
}

t.test('what was used stays used, as the table says', async (t) => {
  const { app, change } = await withLimits(t)
  await statuses(app, 48, '/')
  t.equal(await change({ max: 1000 }), 200)
  t.equal(await left(app), 951)
  t.equal(await change({ max: 10 }), 200)
  t.equal((await app.inject('/')).statusCode, 429)
  t.equal(await change({ max: 1000 }), 200)
  t.equal(await left(app), 950)
})

t.test('a reload with a mistake changes nothing', async (t) => {
  const { app, change } = await withLimits(t)
  t.equal(await left(app), 99)
  t.equal(await change({ max: 1000, timeWindow: 'soon' }), 500)
  t.equal(await left(app), 98)
})

t.test('what is blocked stays blocked, but by a shorter maxCooldown, and without the penalty', async (t) => {
  const { app } = await withLimits(t)
  const penalty = { strikes: 1, cooldown: '10 minutes', maxCooldown: '1 hour' }
  const waitS = async () => Number((await app.inject('/')).headers['retry-after'])
  await app.rateLimit.reload({ max: 1, penalty })
  await statuses(app, 3, '/')
  t.equal(await waitS(), 600)
  await app.rateLimit.reload({ max: 1000, penalty: { ...penalty, cooldown: '20 minutes' } })
  t.equal(await waitS(), 600)
  await app.rateLimit.reload({ max: 1000, penalty: { ...penalty, cooldown: '1 minute', maxCooldown: '5 minutes' } })
  t.equal(await waitS(), 300)
  await app.rateLimit.reload({ max: 1000 })
  t.equal((await app.inject('/')).statusCode, 200)
})

t.test('what is said to be fixed is refused by its name, and all else is not', async (t) => {
  const { app } = await withLimits(t)
  const others: Readonly<Record<string, unknown>> = {
    name: 'other',
    redis: 'redis://127.0.0.1:1',
    store: Object.fromEntries(['take', 'peek', 'adjust', 'reset', 'ping'].map((name): [string, unknown] => [name, () => {}]).concat([['kind', 'other']])),
    keyPrefix: 'other:',
    connections: 2,
    deadline: 51,
    breaker: { failures: 6 },
    maxPending: 9,
    memory: { maxKeys: 9 },
    ipv6Subnet: 64,
    identify: { defaultTier: 'other' },
    health: false,
    metrics: false,
    admin: {},
    log: false,
    record: { file: 'decisions.jsonl' },
    configFile: 'other.toml',
    reloadOnSignal: true,
    hook: 'preHandler'
  }
  t.strictSame(Object.keys(others), [...fixedOptions(), 'hook'])
  for (const [name, value] of Object.entries(others)) {
    await t.rejects(app.rateLimit.reload({ [name]: value }), { code: 'FST_SLUICE_FIXED_OPTION', message: new RegExp(`\\b${name}: `) }, name)
  }
  await app.rateLimit.reload({
    max: 5,
    rules: [{ name: 'a', match: '/a', max: 2 }],
    tiers: { a: false },
    cost: 2,
    mode: 'shadow',
    penalty: {},
    throttle: {},
    exempt: { users: ['a'] },
    trustedProxies: ['loopback'],
    headers: 'both',
    failureMode: 'open',
    global: false,
    enabled: false
  })
})
