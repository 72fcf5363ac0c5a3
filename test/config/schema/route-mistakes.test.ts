import t from 'tap'
import type { RouteRateLimit } from '../../../lib/index.js'
import { bareApp, limitedApp } from '../../fixtures/app.js'

const wrong: ReadonlyArray<readonly [rateLimit: unknown, code: string, message: string]> = [
  [true, 'BAD_OPTION', ': expected an object of rate-limit options, or false, got true'],
  [null, 'BAD_OPTION', ': expected an object of rate-limit options, or false, got null'],
  [5, 'BAD_OPTION', ': expected an object of rate-limit options, or false, got 5'],
  ['10/s', 'BAD_OPTION', ': expected an object of rate-limit options, or false, got "10/s"'],
  [[{ max: 5 }], 'BAD_OPTION', ': expected an object of rate-limit options, or false, got an array of 1'],
  [() => ({}), 'BAD_OPTION', ': expected an object of rate-limit options, or false, got a function'],
  [{ max: '5' }, 'BAD_OPTION', '.max: expected an integer from 0 to 4294967295, got "5"'],
  [{ timeWindow: 'soon' }, 'BAD_OPTION', '.timeWindow: expected a duration such as "10s" or a number of milliseconds, got "soon"'],
  [{ cost: 11 }, 'BAD_OPTION', '.cost: expected at most 10, the capacity of the limit "default", got 11'],
  [{ max: 3, cost: 4 }, 'BAD_OPTION', '.cost: expected at most 3, the capacity of the limit "default", got 4'],
  [{ Max: 5 }, 'UNKNOWN_OPTION', '.Max: unknown option, did you mean "max"?'],
  [{ enabled: false }, 'UNKNOWN_OPTION', '.enabled: unknown option'],
  [{ headers: 'off' }, 'UNKNOWN_OPTION', '.headers: unknown option'],
  [{ max: 5, limits: [{ name: 'a', max: 1, timeWindow: 1 }] }, 'CONTRADICTION', '.max: contradicts limits; put it into one of them'],
  [{ algorithm: 'sliding-window', burst: 4 }, 'CONTRADICTION', '.burst: belongs to a token bucket, and this limit is a sliding-window']
]

for (const [rateLimit, code, message] of wrong) {
  t.test(`the declaration of a route refuses config.rateLimit${message}`, async (t) => {
    const { app } = await limitedApp(t, { max: 10, timeWindow: '1 minute' })
    const error = thrownBy(() => app.post('/own', { config: { rateLimit: rateLimit as RouteRateLimit } }, async () => 'own'))
    t.match(error, { code: `FST_SLUICE_${code}` })
    t.equal(error.message, `POST /own config.rateLimit${message}`)
  })
}

t.test('limits under a name that nobody reads are an error that tells where they belong', async (t) => {
  const { app } = await limitedApp(t, { max: 10, timeWindow: '1 minute' })
  const rateLimit = { max: 5 }
  const rows: ReadonlyArray<readonly [options: object, message: string]> = [
    [{ config: { ratelimit: rateLimit } }, 'GET /x config.ratelimit: unknown option, did you mean "rateLimit"?'],
    [{ config: { rate_limit: false } }, 'GET /x config.rate_limit: unknown option, did you mean "rateLimit"?'],
    [{ rateLimit }, 'GET /x rateLimit: unknown option, did you mean "config.rateLimit"?']
  ]
  for (const [options, message] of rows) t.match(thrownBy(() => app.get('/x', options, async () => 'x')), { code: 'FST_SLUICE_UNKNOWN_OPTION', message })
  t.doesNotThrow(() => app.get('/read', { config: { rateLimit, ratelimit: 'of the application' }, rateLimit } as object, async () => 'read'), 'whoever knows the place may use the others')
  t.doesNotThrow(() => app.get('/other', { config: { rateLimitNote: 'none' } } as object, async () => 'other'))
})

t.test('unequal limits under one groupId are an error that names both', async (t) => {
  const { app } = await limitedApp(t, { max: 10, timeWindow: '1 minute' })
  app.get('/one', { config: { rateLimit: { max: 5, groupId: 'search' } } }, async () => 'one')
  const rows: ReadonlyArray<readonly [rateLimit: RouteRateLimit, words: string]> = [
    [{ max: 6 }, '"default" 6 per 60000 ms (token-bucket)'],
    [{ max: 5, timeWindow: '1s' }, '"default" 5 per 1000 ms (token-bucket)'],
    [{ max: 5, burst: 9 }, '"default" 5 per 60000 ms burst 9 (token-bucket)'],
    [{ max: 5, algorithm: 'fixed-window' }, '"default" 5 per 60000 ms (fixed-window)'],
    [{ max: 5, by: 'global' }, '"default" 5 per 60000 ms (token-bucket by global)'],
    [{ limits: [{ name: 'other', max: 5, timeWindow: '1 minute' }] }, '"other" 5 per 60000 ms (token-bucket)']
  ]
  for (const [rateLimit, words] of rows) {
    t.throws(() => app.get('/two', { config: { rateLimit: { ...rateLimit, groupId: 'search' } } }, async () => 'two'), {
      code: 'FST_SLUICE_UNEQUAL_LIMITS',
      message: `GET /two config.rateLimit: group:search has the limits "default" 5 per 60000 ms (token-bucket) already, so it cannot have ${words} here`
    })
  }
})

t.test('a mistake in a route is found where the plugin is switched off, too', async (t) => {
  const { app } = await limitedApp(t, { enabled: false })
  t.throws(() => app.get('/own', { config: { rateLimit: { max: -1 } } }, async () => 'own'), { code: 'FST_SLUICE_BAD_OPTION' })
})

t.test('a wrong config of a route declared before the plugin is answered 503, and logged once a minute', async (t) => {
  const { app, plugin, log, clock } = bareApp(t)
  app.get('/wrong', { config: { rateLimit: { timeWindow: 'soon' } } }, async () => 'wrong')
  app.get('/right', { config: { rateLimit: { timeWindow: '1s' } } }, async () => 'right')
  app.setErrorHandler((error, _request, reply) => reply.send({ caught: String(error) }))
  app.register(plugin, { max: 10, timeWindow: '1 minute' })
  for (let i = 0; i < 3; i++) {
    const response = await app.inject('/wrong')
    t.equal(response.statusCode, 503)
    t.notMatch(response.body, 'timeWindow', 'a client learns no settings')
  }
  const lines = () => log.filter(({ source }) => source === 'config')
  t.equal(lines().length, 1)
  t.match(lines()[0].err, { code: 'FST_SLUICE_BAD_OPTION', message: /^GET \/wrong config\.rateLimit\.timeWindow: expected a duration/ })
  clock.advance(60_000_000)
  await app.inject('/wrong')
  t.equal(lines().length, 2)
  t.equal((await app.inject('/right')).statusCode, 200)
})

function thrownBy (act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    if (error instanceof Error) return error
  }
  return new Error('nothing was thrown')
}
