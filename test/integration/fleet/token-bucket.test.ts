import t from 'tap'
import { CLOCKS_AHEAD_MS, flood, request, startFleet } from '../../fixtures/fleet.js'
import { startRedis } from '../../fixtures/redis-server.js'
import { callServer } from '../../fixtures/sentinel.js'

const BURST = 40
const PER_SECOND = 100
const LOAD_SECONDS = 3
const CONNECTIONS = 40

t.test('four processes grant a burst and the rate, to the unit, whatever their clocks say', async (t) => {
  const { url, port } = await startRedis(t)
  const seconds = async () => {
    const [whole, microseconds] = await callServer(port, ['TIME']) as [string, string]
    return Number(whole) + Number(microseconds) / 1e6
  }
  const routes = { '/': { max: PER_SECOND, timeWindow: '1s', burst: BURST, by: 'global' } } as const
  const fleet = await startFleet(t, CLOCKS_AHEAD_MS.map((clockAheadMs) => ({ redis: url, routes, clockAheadMs })))

  const earliest = await seconds()
  let latest = Infinity
  const endMs = performance.now() + LOAD_SECONDS * 1000
  const statuses = await flood(fleet, '/', CONNECTIONS / fleet.length, (sent) => {
    // Each connection was answered: the first unit is taken by now, and the bucket not full any more.
    if (sent === 2 * CONNECTIONS && latest === Infinity) {
      latest = 0
      seconds().then((now) => { latest = now }, t.threw)
    }
    return performance.now() > endMs
  })
  const granted = statuses.get(200) ?? 0
  t.strictSame([...statuses.keys()].sort(), [200, 429])

  // Granted and left make up what the bucket held and gained, by Redis's clock, since the first request.
  const before = await seconds()
  const remaining = Number((await request(fleet[0], '/', { cost: 0 })).body.remaining)
  const after = await seconds()
  const least = Math.floor(BURST + (before - latest) * PER_SECOND) - 1
  const most = Math.floor(BURST + (after - earliest) * PER_SECOND)
  t.comment(`${granted} granted and ${remaining} left, expected ${least} to ${most}`)
  t.ok(remaining < BURST, 'the bucket never filled up')
  t.ok(granted + remaining >= least, 'not less')
  t.ok(granted + remaining <= most, 'not more')
})
