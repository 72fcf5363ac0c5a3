// `timeWindow: 60` is 60 milliseconds. The check command warned of it in a file; in code nothing did.
import { Writable } from 'node:stream'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions, RouteRateLimit } from '../../lib/index.js'
import rateLimitPlugin from '../../lib/index.js'
import { bareApp } from '../fixtures/app.js'

interface Parts { readonly plugin?: RateLimitOptions, readonly route?: RouteRateLimit, readonly guard?: RouteRateLimit }

/** The warnings at the start of an application, each with its code. */
async function warningsOf (t: Test, { plugin: options = {}, route, guard }: Parts): Promise<string[]> {
  const warned: string[] = []
  const listen = (warning: Error & { code?: string }) => { warned.push(`${warning.code?.slice('FST_SLUICE_WARN_'.length)} ${warning.message}`) }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const { app, plugin } = bareApp(t)
  await app.register(plugin, options)
  app.get('/', { config: route === undefined ? {} : { rateLimit: route }, preHandler: guard === undefined ? [] : app.rateLimit.guard(guard) }, async () => 'hello')
  await app.ready()
  await new Promise(setImmediate)
  return warned
}

const SHORT = 'is 60 milliseconds, but headers state whole seconds; a number means milliseconds, so write "60s" for seconds'

const rows: ReadonlyArray<readonly [why: string, parts: Parts, warned: string[]]> = [
  ['the plugin', { plugin: { max: 5, timeWindow: 60 } }, [`SHORT_WINDOW rateLimit.timeWindow: ${SHORT}`]],
  ['a rule', { plugin: { rules: [{ name: 'a', match: '/a', max: 5, timeWindow: 60 }] } }, [`SHORT_WINDOW rateLimit.rules[0].timeWindow: ${SHORT}`]],
  ['a tier', { plugin: { identify: { custom: () => null }, tiers: { gold: { max: 5, timeWindow: 60 } } } }, [`SHORT_WINDOW rateLimit.tiers.gold.timeWindow: ${SHORT}`]],
  ['a route', { route: { max: 5, timeWindow: 60 } }, [`SHORT_WINDOW GET / config.rateLimit.timeWindow: ${SHORT}`]],
  ['a limit of a route', { route: { limits: [{ name: 'a', max: 5, timeWindow: 60 }] } }, [`SHORT_WINDOW GET / config.rateLimit.limits[0].timeWindow: ${SHORT}`]],
  ['a tier of a route', { plugin: { identify: { custom: () => null } }, route: { tiers: { gold: { max: 5, timeWindow: 60 } } } }, [`SHORT_WINDOW GET / config.rateLimit.tiers.gold.timeWindow: ${SHORT}`]],
  ['a guard', { guard: { groupId: 'g', max: 5, timeWindow: 60 } }, [`SHORT_WINDOW rateLimit.guard.timeWindow: ${SHORT}`]],
  ['the plugin, inherited by a route', { plugin: { timeWindow: 60 }, route: { max: 5 } }, [`SHORT_WINDOW rateLimit.timeWindow: ${SHORT}`]],
  ['a long window alone, which is a line of the log', { plugin: { max: 100, timeWindow: '1 day' } }, []],
  ['a burst', { route: { max: 5, timeWindow: '1 minute', burst: 50 } }, ['BURST_ABOVE_MAX GET / config.rateLimit.burst: allows 50 requests at once, but max allows 5 per 1 minute']],
  ['all networks trusted', { plugin: { trustedProxies: ['0.0.0.0/0'] } }, ['TRUSTS_EVERYBODY rateLimit.trustedProxies[0]: matches every address, so clients can forge their address in X-Forwarded-For; list the addresses of your proxies']],
  ['a tier without users', { plugin: { tiers: { gold: { max: 5 } } } }, ['TIER_OF_NOBODY rateLimit.tiers.gold: no client has the tier "gold" unless the code identifies users (identify.custom or identify.jwt); neither is set here']],
  ['a tier, with users by custom only', { plugin: { identify: { jwt: false, custom: () => null }, tiers: { gold: { max: 5 } } } }, []],
  ['a rule that never applies', { plugin: { rules: [{ name: 'a', match: '/x' }, { name: 'b', match: '/x' }] } }, ['RULE_NEVER_APPLIES rateLimit.rules[1].match: never applies, because every request that it matches is matched by "a" first']],
  ['numbers by functions', { plugin: { max: () => 100, timeWindow: '1 day' } }, []],
  ['the defaults', {}, []],
  ['usual options', { plugin: { max: 100, timeWindow: '1 minute' }, route: { max: 5, timeWindow: '10s' }, guard: { groupId: 'g', max: 1, timeWindow: 1000 } }, []]
]
for (const [why, parts, warned] of rows) {
  t.test(`${why}: ${warned.length === 0 ? 'no warning' : 'a warning at start'}`, async (t) => {
    t.strictSame(await warningsOf(t, parts), warned)
  })
}

t.test('a mistake in many routes is warned of ten times', async (t) => {
  const warned: unknown[] = []
  const listen = (warning: unknown) => { warned.push(warning) }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const { app, plugin } = bareApp(t)
  await app.register(plugin)
  for (let i = 0; i < 30; i++) app.get(`/${i}`, { config: { rateLimit: { max: 5, timeWindow: 60 } } }, async () => 'hello')
  await app.ready()
  await new Promise(setImmediate)
  t.equal(warned.length, 10)
})

t.test('a long window alone is often right, so it is only a line at level info', async (t) => {
  const lines: string[] = []
  const stream = new Writable({ write (chunk, _encoding, done) { lines.push(String(chunk)); done() } })
  const app = fastify({ logger: { level: 'info', stream } })
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 100, timeWindow: '1 day' })
  await app.ready()
  t.match(lines.map((line) => JSON.parse(line)).filter(({ code }) => code !== undefined), [{
    level: 30,
    code: 'FST_SLUICE_WARN_LONG_WINDOW_ALONE',
    msg: 'rateLimit.timeWindow: allows 100 requests at once and then none for up to 1 day; add a limit with a short timeWindow, or a burst'
  }])
})
