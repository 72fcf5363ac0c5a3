import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { DECISION_CHANNEL, type ConsumeOptions, type DecisionMessage, type LimitOptions, type RateLimitOptions } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'
import { byHeaders, requestAs } from '../fixtures/each-store.js'

const HOUR = { max: 3, timeWindow: '1 hour' } as const

t.test('a job and a request of one user share a budget', async (t) => {
  const { app } = await limitedApp(t, { ...HOUR, identify: byHeaders })
  await app.inject(requestAs('42'))
  const decision = await app.rateLimit.consume('user:42')
  t.match(decision, { outcome: 'allowed', isRefused: false, remaining: 1, limit: 3, client: { kind: 'user', id: '42', tier: 'standard', partition: 'user:42' } })
  t.equal((await app.inject(requestAs('42'))).headers['x-ratelimit-remaining'], '0')
  t.match(await app.rateLimit.consume('user:42'), { outcome: 'rejected', isRefused: true, retryAfterMs: 1_200_000 })
})

t.test('the decision has what that of a check has, and can be charged and refunded', async (t) => {
  const { app } = await limitedApp(t, HOUR)
  let checked: unknown = null
  app.get('/check', { config: { rateLimit: false } }, async (request) => { checked = await app.rateLimit.check(request) })
  await app.inject('/check')
  const decision = await app.rateLimit.consume('ip:127.0.0.1')
  t.strictSame(Object.keys(decision ?? {}), Object.keys(checked ?? {}))
  t.equal(decision?.remaining, 1)
  await decision?.charge(1)
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 0 }])
  await decision?.refund(1)
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 1 }])
})

const limit = (by: LimitOptions['by'], mode: LimitOptions['mode'] = 'enforce'): LimitOptions => ({ name: `${by}-${mode}`, by, mode, ...HOUR })
const all = [limit('client'), limit('ip'), limit('user'), limit('global')]
const charged: ReadonlyArray<readonly [partition: string, limits: LimitOptions[], names: string[] | null]> = [
  ['user:42', all, ['client-enforce', 'user-enforce', 'global-enforce']],
  ['key:abc', all, ['client-enforce', 'global-enforce']],
  ['ip:203.0.113.9', all, ['client-enforce', 'ip-enforce', 'global-enforce']],
  ['global', all, ['global-enforce']],
  ['ip:203.0.113.9', [limit('user')], ['user-enforce']],
  ['ip:203.0.113.9', [limit('user'), limit('client', 'shadow')], ['user-enforce', 'client-shadow']],
  ['user:42', [limit('ip')], null],
  ['key:abc', [limit('user')], null],
  ['key:abc', [limit('user'), limit('client', 'shadow')], null],
  ['global', [limit('client')], null],
  ['key:abc', [limit('client', 'shadow')], ['client-shadow']]
]
for (const [partition, limits, names] of charged) {
  t.test(`${partition} under ${limits.map(({ name }) => name).join(', ')} is charged to ${names?.join(', ') ?? 'no limit, an error'}`, async (t) => {
    const { app } = await limitedApp(t, { limits })
    if (names === null) {
      await t.rejects(app.rateLimit.consume(partition), { code: 'FST_SLUICE_CONTRADICTION', message: /no limit applies to the partition/ })
      return
    }
    const decision = await app.rateLimit.consume(partition)
    t.strictSame(decision?.standings.map(({ name }) => name), names)
    t.equal(decision?.client.partition, partition)
  })
}

t.test('options name buckets of their own, and the tier of the user', async (t) => {
  const { app } = await limitedApp(t, { ...HOUR, tiers: { premium: { max: 9 }, free: false }, exempt: { ips: ['192.0.2.1'], users: ['root'] } })
  const mails = { groupId: 'mails', max: 1, timeWindow: '1 day' } as const
  t.strictSame([(await app.rateLimit.consume('user:1', mails))?.outcome, (await app.rateLimit.consume('user:1', { ...mails }))?.outcome], ['allowed', 'rejected'])
  t.match(await app.rateLimit.consume('user:1', { tier: 'premium' }), { limit: 9, client: { tier: 'premium' } })
  t.match(await app.rateLimit.consume('user:1', { cost: 2 }), { limit: 3, remaining: 1, client: { tier: 'standard' } })
  for (const [partition, options] of [['user:1', { tier: 'free' }], ['user:root', {}], ['ip:192.0.2.1', {}]] as const) {
    t.equal((await app.rateLimit.consume(partition, options))?.outcome, 'exempt', partition)
  }
})

t.test('a long id, its hash and an IPv6 subnet are one partition with their spellings', async (t) => {
  const { app } = await limitedApp(t, HOUR)
  const long = await app.rateLimit.consume(`user:${'x'.repeat(200)}`)
  t.match(await app.rateLimit.consume(long?.client.partition ?? ''), { remaining: 1, client: { kind: 'user', partition: long?.client.partition } })
  const address = await app.rateLimit.consume('ip:2001:db8::1')
  t.match(await app.rateLimit.consume(address?.client.partition ?? ''), { remaining: 1, client: { kind: 'ip', partition: address?.client.partition } })
})

const fn = () => 1
const wrong: ReadonlyArray<readonly [partition: unknown, options: object | undefined, message: RegExp, plugin?: RateLimitOptions]> = [
  ['42', undefined, /^partition: expected a partition such as "ip:203.0.113.9"/],
  [undefined, undefined, /^partition: expected a partition/],
  ['user:42', { max: 1 }, /^rateLimit\.consume\.groupId: expected a name/],
  ['user:42', { groupId: 'a', mx: 1 }, /^rateLimit\.consume\.mx: unknown option/],
  ['user:42', { tier: '' }, /^rateLimit\.consume\.tier: expected the name of a tier/],
  ['ip:127.0.0.1', { tier: 'premium' }, /^rateLimit\.consume\.tier: belongs to a user/],
  ['user:42', { keyGenerator: fn }, /^rateLimit\.consume\.keyGenerator: needs a request/],
  ['user:42', { onExceeded: fn }, /^rateLimit\.consume\.onExceeded: needs a request/],
  ['user:42', { cost: fn }, /^rateLimit\.consume\.cost: is a function of the request/],
  ['user:42', { groupId: 'a', max: fn, timeWindow: '1s' }, /^rateLimit\.consume\.max: is a function of the request/],
  ['user:42', undefined, /^rateLimit\.cost: is a function of the request/, { cost: fn }],
  ['user:42', undefined, /^rateLimit\.max: is a function of the request/, { max: fn }]
]
for (const [partition, options, message, plugin = {}] of wrong) {
  t.test(`${JSON.stringify(partition)} with ${Object.keys(options ?? plugin).join(', ') || 'no options'} is an error with its place`, async (t) => {
    const { app } = await limitedApp(t, plugin)
    await t.rejects(app.rateLimit.consume(partition as string, options as ConsumeOptions), { message })
  })
}

t.test('functions of the registration that consume does not need are no obstacle', async (t) => {
  const never = () => { throw new Error('called') }
  const { app, log } = await limitedApp(t, { ...HOUR, keyGenerator: never, onExceeding: never, onExceeded: never, errorResponseBuilder: never, exempt: { when: never } })
  for (const outcome of ['allowed', 'allowed', 'allowed', 'rejected']) t.equal((await app.rateLimit.consume('user:42'))?.outcome, outcome)
  t.strictSame(log.filter(({ source }) => source !== undefined), [])
})

t.test('metrics, the log and the channel count it', async (t) => {
  const messages: DecisionMessage[] = []
  const listen = (message: unknown) => { messages.push(message as DecisionMessage) }
  subscribe(DECISION_CHANNEL, listen)
  t.teardown(() => { unsubscribe(DECISION_CHANNEL, listen) })
  const { app, log } = await limitedApp(t, { limits: [{ name: 'own', max: 1, timeWindow: '1 hour' }, { name: 'tried', max: 1, timeWindow: '2 hours', mode: 'shadow' }], name: 'jobs', log: { level: 'warn' } })
  for (let i = 0; i < 2; i++) await app.rateLimit.consume('user:42')
  t.match(messages.map(({ request, registration, decision }) => [request, registration, decision.outcome]), [[null, 'jobs', 'allowed'], [null, 'jobs', 'rejected']])
  const line = { client: 'user:42', method: null, route: null, outcome: 'rejected' }
  t.match(log, [{ ...line, limit: 'tried', mode: 'shadow' }, { ...line, limit: 'own', mode: 'enforce' }])
  const text = await app.rateLimit.metrics?.metrics()
  t.match(text, /rate_limit_requests_total\{[^}]*tier="standard",outcome="rejected"[^}]*\} 1/)
})

t.test('null while the registration is disabled', async (t) => {
  const { app } = await limitedApp(t, { ...HOUR, enabled: false })
  t.equal(await app.rateLimit.consume('user:42'), null)
})

for (const value of [undefined, null, {}, 'user:42', { headers: {} }]) {
  t.test(`check(${JSON.stringify(value)}) is an error that names consume`, async (t) => {
    const { app } = await limitedApp(t, HOUR)
    await t.rejects(app.rateLimit.check(value as never), {
      code: 'FST_SLUICE_BAD_OPTION', message: /^rateLimit\.check: expected a request; without one, use rateLimit\.consume\(partition, options\), got /
    })
  })
}
