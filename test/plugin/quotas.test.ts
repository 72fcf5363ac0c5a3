// Limits with a period of the calendar, through requests. The clock starts on 2026-09-21T14:13:20Z, a Monday.
import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp, remaining, remainders, SECOND, statuses } from '../fixtures/app.js'

const DAY = 86_400 * SECOND
/** From the start of the clock to the end of September. */
const TO_OCTOBER = Date.UTC(2026, 9, 1) * 1000 - 1_790_000_000_000_000

/** Identifies a user, its tier and its anchor by headers. */
const identify: RateLimitOptions['identify'] = {
  custom: ({ headers: { user, tier, anchor } }) => {
    if (typeof user !== 'string') return null
    return { id: user, tier: typeof tier === 'string' ? tier : null, anchor: typeof anchor === 'string' ? anchor : null }
  }
}

t.test('a quota counts to the end of its period, and headers and Retry-After say so', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 2, period: 'month', headers: 'both' })
  const first = await app.inject('/')
  t.match(first.headers, {
    'x-ratelimit-limit': 2,
    'x-ratelimit-remaining': 1,
    'x-ratelimit-reset': TO_OCTOBER / SECOND,
    'ratelimit-policy': '"default";q=2;w=2678400',
    ratelimit: `"default";r=1;t=${TO_OCTOBER / SECOND}`
  })
  clock.advance(DAY)
  t.strictSame(await statuses(app, 2), [200, 429])
  const refused = await app.inject('/')
  t.equal(refused.headers['retry-after'], String((TO_OCTOBER - DAY) / SECOND))
  t.match(refused.json(), { detail: /^Limit 'default' of 2 per month exceeded\./, remaining: 0 })
  clock.advance(TO_OCTOBER - DAY - 1)
  t.equal((await app.inject('/')).statusCode, 429, 'one microsecond early')
  clock.advance(1)
  const october = await app.inject('/')
  t.match([october.statusCode, october.headers['x-ratelimit-reset']], [200, 31 * 86_400])
})

t.test('a time zone moves the end of the period', async (t) => {
  const { app } = await limitedApp(t, { max: 2, period: 'month', timeZone: 'Europe/Berlin' })
  t.equal(Number((await app.inject('/')).headers['x-ratelimit-reset']), TO_OCTOBER / SECOND - 7200)
})

t.test('an anchor of the limit starts its periods', async (t) => {
  const { app } = await limitedApp(t, { max: 2, period: 'month', anchor: '2026-01-31T00:00:00Z' })
  t.equal(Number((await app.inject('/')).headers['x-ratelimit-reset']), TO_OCTOBER / SECOND - 86_400, 'on September 30')
})

t.test('a quota beside another limit: both are charged, or none', async (t) => {
  const { app, clock } = await limitedApp(t, {
    limits: [{ name: 'burst', max: 2, timeWindow: '1s' }, { name: 'monthly', max: 3, period: 'month' }]
  })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  clock.advance(SECOND)
  t.strictSame(await statuses(app, 2), [200, 429])
  clock.advance(SECOND)
  t.match((await app.inject('/')).json(), { 'violated-policies': ['monthly'] })
})

t.test('each client renews on the day of its own anchor', async (t) => {
  const { app, clock, log } = await limitedApp(t, { max: 2, period: 'month', anchor: 'client', identify })
  const resetOf = async (headers: Record<string, string>) => {
    const { headers: sent } = await app.inject({ url: '/', headers })
    return Number(sent['x-ratelimit-reset'])
  }
  t.equal(await resetOf({ user: 'a', anchor: '2026-02-28T00:00:00Z' }), TO_OCTOBER / SECOND - 3 * 86_400, 'September 28')
  t.equal(await resetOf({ user: 'b', anchor: '2026-01-31T00:00:00Z' }), TO_OCTOBER / SECOND - 86_400, 'September 30')
  t.equal(await resetOf({ user: 'c' }), TO_OCTOBER / SECOND, 'without an anchor: the month')
  t.equal(await resetOf({}), TO_OCTOBER / SECOND, 'an address')
  t.equal(await resetOf({ user: 'a' }), TO_OCTOBER / SECOND - 3 * 86_400, 'a missing anchor does not move the end')
  t.equal(log.length, 0)
  t.equal(await resetOf({ user: 'd', anchor: 'soon' }), TO_OCTOBER / SECOND)
  t.match(log, [{ source: 'identify', err: { message: /anchor of a user to be an instant/ } }])
  clock.advance(TO_OCTOBER - 3 * DAY)
  t.equal(await resetOf({ user: 'a', anchor: '2026-02-28T00:00:00Z' }), 30 * 86_400)
})

t.test('charges, refunds and penalties work as for other limits', async (t) => {
  const { app } = await limitedApp(t, { max: 10, period: 'day', refundOn: [404] })
  app.get('/none', async (_request, reply) => reply.code(404).send())
  app.get('/dear', async (request) => {
    await request.rateLimit?.charge(6)
    return request.rateLimit?.remaining
  })
  t.equal((await app.inject('/dear')).body, '3')
  await app.inject('/none')
  t.equal(remaining(await app.inject('/')), 2, 'the 404 was refunded')
  t.equal((await app.rateLimit.usage('ip:127.0.0.1'))[0].used, 8)
})

t.test('a reload keeps the units, whatever it changes', async (t) => {
  const { app } = await limitedApp(t, { max: 10, period: 'month' })
  await statuses(app, 4)
  const changes: RateLimitOptions[] = [
    { max: 10, period: 'month', timeZone: 'Asia/Tokyo' },
    { max: 10, period: 'month', anchor: '2026-01-15T00:00:00Z' },
    { max: 10, period: 'day' },
    { max: 10, timeWindow: '1 hour', algorithm: 'fixed-window' },
    { max: 10, period: 'week' },
    { max: 2, period: 'week' }
  ]
  for (const change of changes) {
    await app.rateLimit.reload(change)
    const [{ remaining }] = await app.rateLimit.peek('ip:127.0.0.1')
    t.equal(remaining, Math.max(0, Number(change.max) - 4), JSON.stringify(change))
  }
  await app.rateLimit.reload({ max: 5, period: 'week' })
  t.strictSame(await statuses(app, 2), [200, 429], 'four are still used')
})

t.test('the first quota may come with a reload or a check', async (t) => {
  const { app } = await limitedApp(t, { max: 10, timeWindow: '1 minute' })
  app.get('/check', async (request) => (await app.rateLimit.check(request, { groupId: 'exports', max: 1, period: 'day' }))?.isRefused)
  t.strictSame([(await app.inject('/check')).body, (await app.inject('/check')).body], ['false', 'true'])
  await app.rateLimit.reload({ max: 10, period: 'day' })
  t.equal(remaining(await app.inject('/')), 7)
})

t.test('a quota in shadow mode refuses nothing and sets no header, and its usage is known', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'burst', max: 100, timeWindow: '1s' }, { name: 'monthly', max: 1, period: 'month', mode: 'shadow' }]
  })
  t.strictSame(await remainders(app, '/', '/', '/'), [99, 98, 97])
  t.match(await app.rateLimit.usage('ip:127.0.0.1'), [{ name: 'monthly', mode: 'shadow', used: 1, limit: 1 }])
})

t.test('a max by function has a quota for each number', async (t) => {
  const { app } = await limitedApp(t, { max: ({ headers }) => Number(headers.max ?? 2), period: 'day' })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  t.strictSame(await statuses(app, 2, { url: '/', headers: { max: '1' } }), [200, 429])
})

t.test('usage lists what a client used, with start and end', async (t) => {
  const { app } = await limitedApp(t, {
    identify,
    limits: [{ name: 'burst', max: 100, timeWindow: '1s' }, { name: 'monthly', max: 1000, period: 'month' }],
    tiers: { premium: { limits: [{ name: 'monthly', max: 50_000, period: 'month', anchor: 'client' }] } }
  })
  app.get('/plan', { config: { rateLimit: false } }, async () => app.rateLimit.usage('user:42'))
  await statuses(app, 3, { url: '/', headers: { user: '42' } })
  const standard = {
    name: 'monthly', scope: 'default', tier: null, mode: 'enforce', period: 'month', limit: 1000, used: 3, start: '2026-09-01T00:00:00.000Z', end: '2026-10-01T00:00:00.000Z'
  }
  const premium = { ...standard, tier: 'premium', limit: 50_000, used: 0 }
  t.strictSame(await app.rateLimit.usage('user:42'), [standard, premium])
  t.strictSame((await app.inject('/plan')).json(), [standard, premium])

  const headers = { user: '7', tier: 'premium', anchor: '2026-01-31T10:00:00Z' }
  await statuses(app, 2, { url: '/', headers })
  const client = { kind: 'user', id: '7', tier: 'premium', partition: 'user:7' } as const
  const anchored = { ...premium, used: 2, start: '2026-08-31T10:00:00.000Z', end: '2026-09-30T10:00:00.000Z' }
  t.strictSame(await app.rateLimit.usage({ ...client, anchorMs: Date.parse(headers.anchor) }), [anchored], 'a client: the quotas of its tier')
  t.strictSame((await app.rateLimit.usage('user:7', { anchor: headers.anchor }))[1], anchored)
  t.strictSame((await app.rateLimit.usage('user:7'))[1], { ...anchored, start: null }, 'the end is stored, the start is not')
  await t.rejects(app.rateLimit.usage('user:7', { anchor: 'soon' }), { code: 'FST_SLUICE_BAD_OPTION', message: /rateLimit\.usage\.anchor: expected an instant/ })
  await t.rejects(app.rateLimit.usage('7'), { code: 'FST_SLUICE_BAD_OPTION' })
})

t.test('the client of a decision has its anchor, for usage', async (t) => {
  const { app } = await limitedApp(t, { identify, max: 10, period: 'year', anchor: 'client' })
  app.get('/plan', async (request) => app.rateLimit.usage(request.rateLimit!.client))
  t.match((await app.inject({ url: '/plan', headers: { user: '1', anchor: '2024-02-29T00:00:00Z' } })).json(), [
    { used: 1, limit: 10, start: '2026-02-28T00:00:00.000Z', end: '2027-02-28T00:00:00.000Z' }
  ])
})

t.test('consume charges the quota of a user, and leaves the end to the user', async (t) => {
  const { app } = await limitedApp(t, { identify, max: 10, period: 'month', anchor: 'client' })
  const headers = { user: '1', anchor: '2026-01-10T00:00:00Z' }
  await app.inject({ url: '/', headers })
  t.match(await app.rateLimit.consume('user:1'), { remaining: 8 })
  t.match(await app.rateLimit.usage('user:1', { anchor: headers.anchor }), [{ used: 2, end: '2026-10-10T00:00:00.000Z' }])
  t.match(await app.rateLimit.usage('user:1'), [{ used: 2, end: '2026-10-10T00:00:00.000Z' }])
})

t.test('metrics: the used share of each quota, without clients', async (t) => {
  const { app } = await limitedApp(t, { limits: [{ name: 'monthly', max: 4, period: 'month' }, { name: 'burst', max: 10, timeWindow: '1s' }] })
  await statuses(app, 4)
  const text = await app.rateLimit.metrics!.metrics()
  t.match(text, /rate_limit_quota_used_ratio_bucket\{limit="monthly",le="0.5"\} 2/)
  t.match(text, /rate_limit_quota_used_ratio_count\{limit="monthly"\} 4/)
  t.notMatch(text, /rate_limit_quota_used_ratio[^\n]*burst/)
})

const WRONG: ReadonlyArray<readonly [options: RateLimitOptions, message: string]> = [
  [{ max: 1, period: 'fortnight' as 'week' }, 'rateLimit.period: expected "hour" or "day" or "week" or "month" or "year", got "fortnight"'],
  [{ max: 1, period: 'day', timeWindow: '1 day' }, 'rateLimit.timeWindow: contradicts period; a limit has one of them'],
  [{ max: 1, period: 'day', timeZone: 'Europe/Berlinn' }, 'rateLimit.timeZone: expected an IANA time zone such as "Europe/Berlin", got "Europe/Berlinn"'],
  [{ max: 1, period: 'day', anchor: '2026-01-31' }, 'rateLimit.anchor: expected an instant such as "2026-01-31T00:00:00Z", or "client", got "2026-01-31"'],
  [{ max: 1, period: 'day', anchor: '2026-02-30T00:00:00Z' }, 'rateLimit.anchor: expected an instant such as "2026-01-31T00:00:00Z", or "client", got "2026-02-30T00:00:00Z"'],
  [{ max: 1, timeWindow: '1 day', anchor: 'client' }, 'rateLimit.anchor: belongs to a limit with a period'],
  [{ max: 1, period: 'day', anchor: 'client', by: 'global' }, 'rateLimit.anchor: is that of an identified client, and this limit is by "global"'],
  [{ max: 1, period: 'day', burst: 2 }, 'rateLimit.burst: belongs to a token bucket, and this limit has a period'],
  [{ max: 1, period: 'day', algorithm: 'sliding-window' }, 'rateLimit.algorithm: contradicts period, which is counted in its own way'],
  [{ max: 1, period: 'day', throttle: {} }, 'rateLimit.throttle: needs token buckets, and the limit "default" is a calendar-window'],
  [{ limits: [{ name: 'a', max: 1 }] }, 'rateLimit.limits[0].timeWindow: expected a duration such as "10s" or a number of milliseconds, got nothing'],
  [{ period: 'day', limits: [{ name: 'a', max: 1, period: 'day' }] }, 'rateLimit.period: contradicts limits; put it into one of them'],
  [{ rules: [{ name: 'a', match: '/a', max: 1, period: 'day', timeZone: 'Mars' }] }, 'rateLimit.rules[0].timeZone: expected an IANA time zone such as "Europe/Berlin", got "Mars"'],
  [{ tiers: { premium: { max: 1, period: 'day', timeZone: 'Mars' } } }, 'rateLimit.tiers.premium.timeZone: expected an IANA time zone such as "Europe/Berlin", got "Mars"']
]

t.test('wrong options are errors at start, each with its place', async (t) => {
  for (const [options, message] of WRONG) await t.rejects(limitedApp(t, options), { message }, message)
})

t.test('period and timeWindow replace each other, and one time zone is for all quotas', async (t) => {
  const { app } = await limitedApp(t, {
    max: 100,
    timeWindow: '1 minute',
    burst: 10,
    algorithm: 'token-bucket',
    timeZone: 'Asia/Tokyo',
    rules: [
      { name: 'daily', match: '/daily', period: 'day' },
      { name: 'own', match: '/own', limits: [{ name: 'weekly', max: 7, period: 'week', timeZone: 'UTC' }, { name: 'hourly', max: 3, timeWindow: '1h' }] }
    ]
  })
  const shown = (rule: string) => app.rateLimit.explain().policies.find(({ scope }) => scope === `rule:${rule}`)?.options
    .filter(({ option }) => /max|Window|period|Zone|algorithm|burst/.test(option)).map(({ option, value, from }) => `${option} ${String(value)} ${from}`)
  t.strictSame(shown('daily'), ['max 100 register', 'period day register', 'timeZone Asia/Tokyo register'])
  t.strictSame(shown('own'), [
    'limits[0].max 7 register', 'limits[0].period week register', 'limits[0].timeZone UTC register',
    'limits[1].max 3 register', 'limits[1].timeWindow 1h register', 'limits[1].algorithm token-bucket register'
  ])
  await app.rateLimit.reload({ rules: [{ name: 'daily', timeWindow: '1 hour' }] })
  t.strictSame(shown('daily')?.slice(0, 2), ['max 100 register', 'timeWindow 1 hour file'])
})
