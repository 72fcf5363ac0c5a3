import t from 'tap'
import { limitedApp, SECOND } from '../fixtures/app.js'

// Keys that are used up themselves outranked an older counter: 102,000 one-request keys of a block gave 10 guesses of 5.
const floods: ReadonlyArray<readonly [why: string, route: { max: number, timeWindow: string }, perKey: number]> = [
  ['a second route whose single unit each key uses up', { max: 1, timeWindow: '1 hour' }, 1],
  ['keys that use up as much as the counter had', { max: 5, timeWindow: '15 minutes' }, 5],
  ['keys that use little', { max: 1000, timeWindow: '1 hour' }, 1]
]
for (const [why, rateLimit, perKey] of floods) {
  t.test(`a login keeps its count: ${why}`, async (t) => {
    const { app, clock, log } = await limitedApp(t, { max: 1000, timeWindow: '1 minute', memory: { maxKeys: 300 }, global: false })
    app.post('/login', { config: { rateLimit: { max: 5, timeWindow: '15 minutes' } } }, async () => 'x')
    app.post('/flood', { config: { rateLimit } }, async () => 'x')
    let guesses = 0
    const login = async () => {
      if ((await app.inject({ method: 'POST', url: '/login', remoteAddress: '2001:db8:7::1' })).statusCode === 200) guesses++
    }
    for (let i = 0; i < 6; i++) await login()
    const startUs = clock.nowUs()
    for (let i = 0; i < 1500; i++) {
      const remoteAddress = `2001:db8:${(0x1000 + (i >> 8)).toString(16)}:${(i & 255).toString(16)}00::1`
      for (let k = 0; k < perKey; k++) await app.inject({ method: 'POST', url: '/flood', remoteAddress })
      clock.advance(SECOND / 100)
      if (i % 50 === 0) await login()
    }
    t.equal(guesses, 5 + Math.floor((clock.nowUs() - startUs) / (180 * SECOND)))
    t.match(log.filter(({ err }) => err?.code === 'FST_SLUICE_MEMORY_FULL'), [{ source: 'memory', err: { message: /memory\.maxKeys/ } }], 'one line says so')
    const { statusCode } = await app.inject({ method: 'POST', url: '/login', remoteAddress: '198.51.100.1' })
    t.equal(statusCode, 200, 'others have their budget')
    t.match(await app.rateLimit.metrics?.metrics(), /^rate_limit_memory_overflow_total [1-9]\d*$/m)
  })
}
