import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RELOAD_CHANNEL, type RateLimitOptions } from '../../../lib/index.js'
import { statuses } from '../../fixtures/app.js'
import { mute } from '../../fixtures/muted.js'
import { listOthers, startPageInstance, type PageInstance } from '../../fixtures/page-fleet.js'
import { shareRedis, startRedis } from '../../fixtures/redis-server.js'
import { until } from '../../fixtures/until.js'

const KEYS = 'sluice:{page:app}'
const WAIT_MS = 20_000

interface Fleet {
  readonly client: Redis
  readonly url: string
  readonly instances: readonly PageInstance[]
}

/** Instances on one Redis that show each other. */
async function startFleet (t: Test, size: number, options: RateLimitOptions = {}): Promise<Fleet> {
  const { url } = await shareRedis()
  const client = new Redis(url)
  t.teardown(() => client.disconnect())
  const instances = await Promise.all(Array.from({ length: size }, () => startPageInstance(t, { redis: url, ...options })))
  for (const { look } of instances) await until('all instances', WAIT_MS, async () => listOthers(await look()).length === size - 1)
  return { client, url, instances }
}

t.test('instances on one Redis show each other', async (t) => {
  const { instances: [one, two], client } = await startFleet(t, 2, { failureMode: 'closed' })
  t.strictSame(await statuses(one.app, 3, { url: '/', remoteAddress: '203.0.113.1' }), [200, 200, 200])
  t.strictSame(await statuses(two.app, 2, { url: '/', remoteAddress: '203.0.113.2' }), [200, 200])
  const state = await one.look()
  t.match(state, { registration: 'app', prefix: '/admin/rate-limit', canWrite: true, fleet: { isShared: true, problem: null, skipped: 0 } })
  t.equal(state.instances[0].id, state.self)
  t.equal(new Set(state.instances.map(({ id }) => id)).size, 2)
  for (const { host, pid, version, enabled, configured, store, startedAtMs, seenAtMs } of state.instances) {
    t.match({ host, pid, enabled, configured }, { host: /./, pid: process.pid, enabled: true, configured: true })
    t.match(version, /^\d+\.\d+\.\d+/)
    t.match(store, { kind: 'redis', isReachable: true, breaker: 'closed', fallbacks: 0 })
    t.ok(startedAtMs <= state.atMs && Math.abs(seenAtMs - state.atMs) < 30_000)
  }
  t.ok((state.instances[0].store.latencyMs?.p99 ?? 0) > 0)
  const keys = await client.keys('sluice:{page:*')
  t.strictSame(keys.sort(), [`${KEYS}:instance:${state.instances[0].id}`, `${KEYS}:instance:${state.instances[1].id}`, `${KEYS}:instances`].sort())
  for (const key of keys) t.ok(await client.pttl(key) > 50_000 && await client.pttl(key) <= 60_000 && await client.strlen(key) <= 16_384)
})

t.test('what one instance has counted is on the page of the other', async (t) => {
  const { instances: [one, two] } = await startFleet(t, 2)
  await statuses(one.app, 3)
  await statuses(two.app, 2)
  const state = await until('the counts of both', WAIT_MS, async () => {
    const shown = await one.look()
    return shown.outcomes.series[0]?.allowed.reduce((sum, count) => sum + count, 0) === 5 && shown
  })
  t.match(state.outcomes.series, [{ route: '/' }])
  t.match(state.limits.find(({ scope }) => scope === 'default'), { name: 'default', max: 100 })
})

t.test('an instance that ends is gone at once', async (t) => {
  const { instances: [one, two], client } = await startFleet(t, 2)
  await two.app.close()
  t.strictSame(listOthers(await one.look()), [])
  await one.app.close()
  t.strictSame(await client.keys('sluice:{page:*'), [])
})

t.test('an instance that was killed is gone with its summary', async (t) => {
  const { instances: [one], client } = await startFleet(t, 1)
  const [seenMs] = (await client.get(`${KEYS}:instances`) ?? '').split(' ')
  await client.set(`${KEYS}:instances`, `${seenMs} web-2:1:gone\n${Number(seenMs) - 61_000} web-3:1:gone\n`)
  const state = await one.look()
  t.strictSame(listOthers(state), [])
  t.equal(state.fleet.skipped, 0)
  await until('only what is fresh', WAIT_MS, async () => !(await client.get(`${KEYS}:instances`) ?? '').includes('web-3'))
})

t.test('registrations and prefixes are apart', async (t) => {
  const { instances: [one], url } = await startFleet(t, 1)
  const [named, prefixed] = [await startPageInstance(t, { redis: url, name: 'other' }), await startPageInstance(t, { redis: url, keyPrefix: 'shop:' })]
  for (const { look } of [one, named, prefixed]) {
    await until('a summary', WAIT_MS, async () => (await look()).fleet.problem === null)
    t.strictSame(listOthers(await look()), [])
  }
})

const { url: hostileUrl } = await shareRedis()
const instance = {
  id: 'web-2:1:ffff',
  host: 'web-2',
  pid: 1,
  version: '9.9.9',
  startedAtMs: 1,
  seenAtMs: 2,
  enabled: true,
  configured: true,
  store: { kind: 'redis', isReachable: true, breaker: 'closed', latencyMs: { p50: 1, p99: 2 }, errors: 0, fallbacks: 0 },
  reload: null
}
const traffic = { version: 1, step: 1, series: [], limits: [], sampled: 1, clients: [], unlisted: [0, 0] }
const good = { version: 1, instance, traffic }

const summaries: ReadonlyArray<readonly [why: string, value: unknown, isShown: boolean]> = [
  ['a summary', good, true],
  ['one of a later version', { ...good, version: 2 }, false],
  ['one with a field that is unknown', { ...good, more: 1 }, false],
  ['no JSON', 'hello', false],
  ['null', null, false],
  ['a number', 42, false],
  ['a list', [good], false],
  ['an object without anything', {}, false],
  ['another id', { ...good, instance: { ...instance, id: 'web-3:1:ffff' } }, false],
  ['a text that is too long', { ...good, instance: { ...instance, host: 'x'.repeat(201) } }, false],
  ['an infinite time', JSON.stringify(good).replace('"startedAtMs":1', '"startedAtMs":1e999'), false],
  ['a negative count', { ...good, instance: { ...instance, store: { ...instance.store, errors: -1 } } }, false],
  ['a state that is none', { ...good, instance: { ...instance, store: { ...instance.store, breaker: 'ajar' } } }, false],
  ['a switch that is a text', { ...good, instance: { ...instance, enabled: 'yes' } }, false],
  ['a reload with an object as its error', { ...good, instance: { ...instance, reload: { atMs: 1, isApplied: false, error: {} } } }, false],
  ['no traffic', { ...good, traffic: null }, false],
  ['traffic of a later version', { ...good, traffic: { ...traffic, version: 2 } }, false],
  ['traffic that is no list', { ...good, traffic: { ...traffic, series: 'many' } }, false],
  ['a client with more requests than can be', { ...good, traffic: { ...traffic, clients: [['user:1', 0, 1e300, 0, 0, 1]] } }, false],
  ['clients of an instance', { ...good, traffic: { ...traffic, clients: [['user:1', 0, 1, 0, 0, 1]] } }, true],
  ['so many series that adding them up takes long', { ...good, traffic: { ...traffic, series: Array.from({ length: 500 }, (_, index) => [`/${index}`, '', 'A', '', '']) } }, false],
  ['more than any instance writes', { ...good, padding: 'x'.repeat(20_000) }, false],
  ['a depth that no parser likes', '['.repeat(16_000), false],
  ['a prototype', JSON.stringify(good).replace('"traffic":{', '"traffic":{"__proto__":{"x":1},'), true]
]

t.test('a summary is read only if it has the form of one', async (t) => {
  const client = new Redis(hostileUrl)
  t.teardown(() => client.disconnect())
  const one = await startPageInstance(t, { redis: hostileUrl })
  await until('a connection', WAIT_MS, async () => (await one.look()).fleet.problem === null)
  for (const [why, value, isShown] of summaries) {
    await client.set(`${KEYS}:instance:${instance.id}`, typeof value === 'string' ? value : JSON.stringify(value))
    // Each one is read once: only its time makes it a new one.
    await client.set(`${KEYS}:instances`, `${Number((await client.time())[0]) * 1000} ${instance.id}\n`)
    const state = await until(why, WAIT_MS, async () => {
      const shown = await one.look()
      return shown.instances.length + shown.fleet.skipped === 2 && shown
    })
    t.strictSame(listOthers(state), isShown ? [instance.id] : [], why)
    t.equal(state.fleet.skipped, isShown ? 0 : 1, why)
    await client.del(`${KEYS}:instance:${instance.id}`)
    await client.del(`${KEYS}:instances`)
    await until('forgotten', WAIT_MS, async () => (await one.look()).instances.length === 1)
  }
  t.strictSame(one.log, [])
})

t.test('an index and a switch of any form are endured', async (t) => {
  const { client, instances: [one] } = await startFleet(t, 1)
  const values: ReadonlyArray<readonly [index: string, isSet: string]> = [
    ['nonsense', 'on'], ['\n\n\n', '1'], ['1e99 x\n', '9 9'], [`${'9'.repeat(400)} x\n`, `${'9'.repeat(40)} 0`],
    [`${Date.now()} ${'x'.repeat(10_000)}\n`, '-1 0'], [`${Date.now()} a b c\n${Date.now()} ../../etc\n`, ' 1 0'], ['', '']
  ]
  for (const [index, isSet] of values) {
    await client.set(`${KEYS}:instances`, index)
    await client.set(`${KEYS}:switch`, isSet)
    t.strictSame(listOthers(await one.look()), [], index.slice(0, 20))
    await until('a summary again', WAIT_MS, async () => (await client.get(`${KEYS}:instances`))?.includes((await one.look()).self) ?? false)
    t.equal((await one.look()).instances[0].enabled, true)
  }
  for (const key of ['instances', 'switch']) {
    await client.multi().del(`${KEYS}:${key}`).lpush(`${KEYS}:${key}`, 'a list').exec()
    t.equal((await one.look()).instances.length, 1)
  }
  t.equal((await one.switchTo(false, 'all')).statusCode, 200, 'the list is replaced')
  t.strictSame(one.log.map(({ msg }) => msg), ['rate limit: an operator switched the limits off'])
})

t.test('the index names 64 instances at most', async (t) => {
  const { client, instances: [one] } = await startFleet(t, 1)
  await client.set(`${KEYS}:instances`, Array.from({ length: 500 }, (_, index) => `${Date.now()} web-${index}:1:ffff\n`).join(''))
  await until('a short index', WAIT_MS, async () => (await client.get(`${KEYS}:instances`))?.split('\n').length === 65)
  t.ok((await client.get(`${KEYS}:instances`))?.includes((await one.look()).self))
})

t.test('the switch reaches all instances, also those that start later, and the latest one counts', async (t) => {
  const messages: unknown[] = []
  const receive = (message: unknown) => { messages.push(message) }
  subscribe(RELOAD_CHANNEL, receive)
  t.teardown(() => unsubscribe(RELOAD_CHANNEL, receive))
  const { instances: [one, two], url, client } = await startFleet(t, 2, { max: 1, failureMode: 'closed' })
  const isEnabled = async ({ app }: PageInstance) => (await app.inject('/admin/rate-limit/state')).json().enabled
  const all = async (enabled: boolean, ...instances: readonly PageInstance[]) => {
    for (const each of instances) await until(`enabled: ${enabled}`, WAIT_MS, async () => await isEnabled(each) === enabled)
  }
  t.match((await one.switchTo(false, 'all')).json(), { enabled: false, configured: true })
  t.equal(await isEnabled(one), false, 'at once where it was set')
  await all(false, one, two)
  t.strictSame(await statuses(two.app, 3), [200, 200, 200])
  t.ok(await client.pttl(`${KEYS}:switch`) > 86_000_000)

  const later = await startPageInstance(t, { redis: url })
  await all(false, later)

  await two.switchTo(true, 'this')
  const { self } = await two.look()
  await until('the summaries of all', WAIT_MS, async () => {
    const { instances } = await one.look()
    return instances.length === 3 && instances.every(({ id, enabled }) => enabled === (id === self))
  })
  t.equal(await isEnabled(two), true, 'a later switch of one instance stays')

  await later.switchTo(true, 'all')
  await all(true, one, two, later)
  t.ok((await one.look()).instances[0].enabled)
  const offs = messages.filter((message) => JSON.stringify(message) === '{"registration":"app","source":"operator","result":"success"}')
  t.equal(offs.length, messages.length)
  t.strictSame(one.log.map(({ msg }) => msg), ['rate limit: an operator switched the limits off', 'rate limit: an operator switched the limits on'])
})

t.test('a lift reaches all instances', async (t) => {
  const { instances: [one, two] } = await startFleet(t, 2, { max: 1, penalty: { strikes: 1, cooldown: '1 hour' }, failureMode: 'closed' })
  const request = { url: '/', remoteAddress: '203.0.113.9' }
  t.strictSame(await statuses(one.app, 3, request), [200, 429, 429])
  t.strictSame(await statuses(two.app, 1, request), [429])
  t.match((await two.look()).blocked, [{ partition: 'ip:203.0.113.9', scope: 'default' }])
  t.equal((await one.app.inject({ method: 'DELETE', url: '/admin/rate-limit/standings?partition=ip:203.0.113.9' })).statusCode, 200)
  t.strictSame((await one.look()).blocked, [])
  t.strictSame(await statuses(one.app, 1, request), [200])
})

t.test('without Redis the page shows this instance, and the switch knows no other', async (t) => {
  const one = await startPageInstance(t, {})
  const state = await one.look()
  t.match(state, { fleet: { isShared: false, problem: null, skipped: 0 }, instances: [{ store: { kind: 'memory', isReachable: true, breaker: null, latencyMs: null } }] })
  const { statusCode, body } = await one.switchTo(false, 'all')
  t.equal(statusCode, 400)
  t.match(JSON.parse(body).detail, /^body\.instances: expected "this"; "all" needs Redis/)
  t.equal((await one.look()).instances[0].enabled, true)
})

t.test('while Redis is away the page shows this instance and why, and requests do not wait', async (t) => {
  mute(t, 'FST_SLUICE_WARN_FAILED_STORE')
  const server = await startRedis(t)
  const one = await startPageInstance(t, { redis: server.url, deadline: 100 })
  const two = await startPageInstance(t, { redis: server.url, deadline: 100 })
  await until('the other', WAIT_MS, async () => listOthers(await one.look()).length === 1)
  await server.stop()
  t.strictSame(await statuses(one.app, 2), [200, 200])
  const state = await until('the failure', WAIT_MS, async () => {
    const shown = await one.look()
    return shown.fleet.problem !== null && shown
  })
  t.strictSame(listOthers(state), [])
  t.match(state.fleet.problem, /^[A-Z_]+$/)
  t.equal(state.instances[0].store.isReachable, false)
  t.ok(state.instances[0].store.fallbacks >= 2)
  t.ok(state.instances[0].store.errors >= 1)
  t.equal((await one.switchTo(false, 'all')).statusCode, 503)
  t.equal((await one.look()).instances[0].enabled, true, 'nothing has changed, here either')
  t.equal((await one.switchTo(false, 'this')).statusCode, 200)
  await server.restart()
  await until('the other again', WAIT_MS, async () => listOthers(await one.look()).length === 1)
  t.equal((await two.look()).fleet.problem, null)
  await server.stop()
})
