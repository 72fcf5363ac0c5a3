import t from 'tap'
import { CLOCKS_AHEAD_MS, flood, request, startFleet } from '../../fixtures/fleet.js'
import { shareRedis } from '../../fixtures/redis-server.js'

const MAX = 100
const ALGORITHMS = ['fixed-window', 'sliding-window'] as const

t.test('four processes, two of them with a wrong clock,', async (t) => {
  const { url } = await shareRedis()
  const routes = Object.fromEntries(ALGORITHMS.map((algorithm) => [`/${algorithm}`, { max: MAX, timeWindow: '1 hour', algorithm, by: 'global' }] as const))
  const fleet = await startFleet(t, CLOCKS_AHEAD_MS.map((clockAheadMs) => ({ redis: url, routes, clockAheadMs })))
  const hours = await Promise.all(fleet.map(async (node) => Math.round((Number((await request(node, '/clock')).body.nowMs) - Date.now()) / 3_600_000)))
  t.strictSame(hours, [0, 1, -1, 0], 'the clocks differ')

  for (const algorithm of ALGORITHMS) {
    t.test(`grant exactly what one ${algorithm} allows`, async (t) => {
      const path = `/${algorithm}`
      const statuses = await flood(fleet, path, 10, (sent) => sent >= 1000)
      t.equal(statuses.get(200), MAX)
      t.strictSame([...statuses.keys()].sort(), [200, 429])
      for (const node of fleet) t.match(await request(node, path), { status: 429 }, 'each refuses from here on')
    })
  }
})
