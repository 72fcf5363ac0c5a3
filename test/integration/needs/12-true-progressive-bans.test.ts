// Unmet need 12 of the peers' users: bans of their own duration that truly grow, alike in both stores, and can be lifted.
import t from 'tap'
import { shareRedis } from '../../fixtures/redis-server.js'
import { sleep } from '../../fixtures/until.js'
import { startService, type HttpResponse, type Service } from './service.js'

const isBan = ({ status, body }: HttpResponse) => status === 429 && JSON.parse(body).type.endsWith('#abnormal-usage-detected')

/** Ask until a ban begins: refusals may be answered for a second before Redis hears of them. */
async function banned ({ send }: Service): Promise<HttpResponse> {
  for (let i = 0; i < 500; i++) {
    const answer = await send()
    if (isBan(answer)) return answer
    if (i > 10) await sleep(10)
  }
  throw new Error('nobody was banned')
}

t.test('on each store', async (t) => {
  const { url } = await shareRedis()
  for (const store of [{}, { redis: url, deadline: 5000, failureMode: 'closed' }] as const) {
    const name = 'redis' in store ? 'Redis' : 'memory'
    t.test(`${name}: each ban lasts as long as it says, longer than the one before, and no longer`, async (t) => {
      const service = await startService(t, { ...store, name, max: 1, timeWindow: '500ms', penalty: { strikes: 3, within: '1 hour', cooldown: '1s', maxCooldown: '1 hour' } }, (app) => {
        app.get('/', async () => 'hello')
      })
      for (const seconds of [1, 2]) {
        const answer = await banned(service)
        t.equal(answer.headers['retry-after'], String(seconds), 'no matter how short the limit\'s own window is')
        t.ok(isBan(await service.send()))
        await sleep(seconds * 1000)
        t.equal((await service.send()).status, 200)
      }
    })

    t.test(`${name}: a ban outlasts the window, and is lifted by hand`, async (t) => {
      const service = await startService(t, { ...store, name: `${name}-lifted`, max: 1, timeWindow: '500ms', penalty: { strikes: 3, within: '1 hour', cooldown: '1 hour' } }, (app) => {
        app.get('/', async () => 'hello')
      })
      await banned(service)
      await sleep(700)
      t.ok(isBan(await service.send()))
      t.equal((await service.send({ from: '127.0.0.2' })).status, 200, 'nobody else is banned')
      await service.app.rateLimit.reset('ip:127.0.0.1')
      t.equal((await service.send()).status, 200)
    })
  }
})
