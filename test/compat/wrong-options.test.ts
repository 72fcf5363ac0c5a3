// The original takes its defaults for what it does not understand. Here the application does not start.
import t from 'tap'
import fastify from 'fastify'
import { fastifyRateLimit } from '../../lib/compat/index.js'
import { rateLimitPlugin } from '../../lib/index.js'
import { createRouteConfig, getDecorators, createCompatSide, type Options } from './side-by-side.js'

const plugin: ReadonlyArray<readonly [options: Options, code: string, message: string | RegExp]> = [
  [{ max: '2' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.max: expected a number of 0 or more, or a function, got "2"'],
  [{ max: -1 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.max: expected a number of 0 or more, or a function, got -1'],
  [{ max: Infinity }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.max: expected a number of 0 or more, or a function, got Infinity'],
  [{ timeWindow: 'foo' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.timeWindow: expected a duration such as "10s" or a number of milliseconds, got "foo"'],
  [{ timeWindow: 0 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.timeWindow: expected a duration such as "10s" or a number of milliseconds, got 0'],
  [{ max: NaN }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.max: expected a number of 0 or more, or a function, got NaN'],
  [{ timeWindow: 0.5 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.timeWindow: expected a duration such as "10s" or a number of milliseconds, got 0.5'],
  [{ timeWindow: Infinity }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.timeWindow: expected a duration such as "10s" or a number of milliseconds, got Infinity'],
  [{ timeWindow: '1 hour 30 minutes' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.timeWindow: expected a duration such as "10s" or a number of milliseconds, got "1 hour 30 minutes"'],
  [{ ban: -2 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.ban: expected a number of 0 or more, or -1 for none, got -2'],
  [{ ban: Infinity }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.ban: expected a number of 0 or more, or -1 for none, got Infinity'],
  [{ ipv6Subnet: 64.5 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.ipv6Subnet: expected an integer from 0 to 128, got 64.5'],
  [{ skipOnError: 'true' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.skipOnError: expected true or false, got "true"'],
  [{ groupId: 'g'.repeat(1001) }, 'FST_SLUICE_BAD_OPTION', /^rateLimit.groupId: expected a string of at most 1000 characters, got /],
  [{ redis: { sendCommand () {} } }, 'FST_SLUICE_BAD_OPTION', /^rateLimit.redis: .*got a client of another library than ioredis$/],
  [{ ban: '1' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.ban: expected a number of 0 or more, or -1 for none, got "1"'],
  [{ ipv6Subnet: 129 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.ipv6Subnet: expected an integer from 0 to 128, got 129'],
  [{ hook: 'onSend' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.hook: expected "onRequest" or "preParsing" or "preValidation" or "preHandler", got "onSend"'],
  [{ allowList: '127.0.0.1' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.allowList: expected an array of addresses, CIDRs and keys, or a function, got "127.0.0.1"'],
  [{ allowList: ['10.0.0.0/33'] }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.allowList[0]: expected an address or a CIDR such as "10.0.0.0/8", "loopback" or "private", got "10.0.0.0/33"'],
  [{ allowlist: [] }, 'FST_SLUICE_UNKNOWN_OPTION', 'rateLimit.allowlist: unknown option, did you mean "allowList"?'],
  [{ addHeaders: { 'x-ratelimit-limits': true } }, 'FST_SLUICE_UNKNOWN_OPTION', 'rateLimit.addHeaders.x-ratelimit-limits: unknown option, did you mean "x-ratelimit-limit"?'],
  [{ redis: 42 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.redis: expected a URL such as "redis://127.0.0.1:6379", ioredis options, { sentinels, name }, { cluster: [nodes] }, or a Redis or Cluster client, got 42'],
  [{ nameSpace: 42 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.nameSpace: expected a string, got 42']
]
for (const [options, code, message] of plugin) {
  t.test(String(message), async (t) => {
    await t.rejects(createCompatSide(t, { options }), { code, message })
  })
}

const routes: ReadonlyArray<readonly [options: unknown, code: string, message: string]> = [
  [true, 'FST_SLUICE_BAD_OPTION', 'GET /own config.rateLimit: expected an object of options, or false, got true'],
  [{ max: '2' }, 'FST_SLUICE_BAD_OPTION', 'GET /own config.rateLimit.max: expected a number of 0 or more, or a function, got "2"'],
  [{ groupId: 7 }, 'FST_SLUICE_BAD_OPTION', 'GET /own config.rateLimit.groupId: expected a string of at most 1000 characters, got 7']
]
for (const [own, code, message] of routes) {
  t.test(message, async (t) => {
    await t.rejects(createCompatSide(t, { options: {}, routes (app) { app.get('/own', createRouteConfig(own), async () => 'own') } }), { code, message })
  })
}

t.test('a group with unequal limits does not start', async (t) => {
  await t.rejects(createCompatSide(t, {
    options: {},
    routes (app) {
      app.get('/a', createRouteConfig({ groupId: 'g', max: 1 }), async () => 'a')
      app.get('/b', createRouteConfig({ groupId: 'g', max: 2 }), async () => 'b')
    }
  }), { code: 'FST_SLUICE_CONTRADICTION', message: /^GET \/b config\.rateLimit\.groupId: routes of one group share their counters and need equal limits/ })
})

t.test('a limiter in code is told by its call', async (t) => {
  const { app } = await createCompatSide(t, { options: {} })
  t.throws(() => getDecorators(app).createRateLimit({ max: 'x' }), { message: /^fastify\.createRateLimit\.max: / })
  t.throws(() => getDecorators(app).rateLimit({ maxx: 1 }), { message: 'fastify.rateLimit.maxx: unknown option, did you mean "max"?' })
})

t.test('another limiter in the same scope is refused', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, {})
  await t.rejects(async () => { await app.register(fastifyRateLimit, {}) }, { code: 'FST_SLUICE_ALREADY_REGISTERED' })
})

t.test('null says nothing', async (t) => {
  const { run } = await createCompatSide(t, { options: { max: 1, redis: null, allowList: null, ban: null, timeWindow: undefined } })
  t.strictSame((await run('/', '/')).map(({ status }) => status), [200, 429])
})
