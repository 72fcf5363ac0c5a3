// A client of the application may send a call again whose reply was lost. Its reports must not be counted twice: leased units
// of others would drain before they are spent.
import { once } from 'node:events'
import { Redis } from 'ioredis'
import t from 'tap'
import type { LeaseReport, LeaseRequest } from '../../../lib/algorithms/lease.js'
import { systemClock } from '../../../lib/common/clock.js'
import { CallGuard } from '../../../lib/resilience/call-guard.js'
import { connect } from '../../../lib/stores/redis/connect.js'
import { InFlightCounts } from '../../../lib/stores/memory/in-flight-counts.js'
import { RedisStore } from '../../../lib/stores/redis/redis-store.js'
import type { LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import { isUnavailable } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { startRedis } from '../../fixtures/redis-server.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'

const NOTHING: LeaseReport = { slotEndUs: 0, spent: 0, returned: 0 }

for (const keyPrefix of ['', 'shop:']) {
  t.test(`reports of a call that is sent twice are counted once, with the key prefix "${keyPrefix}"`, async (t) => {
    const { port, url } = await startRedis(t)
    const proxy = await startProxy(t, port)
    // As ioredis does by default: after a reconnect, calls without an answer are sent again.
    const client = new Redis(proxy.url, { keyPrefix })
    const reader = new Redis(url)
    client.on('error', () => {})
    let nowUs = 1_790_000_000_000_000
    const store = new RedisStore({
      inFlight: new InFlightCounts(),
      pool: connect(client, { connections: 1, deadlineMs: 0, clock: systemClock }, { onReady () {} }),
      callGuard: new CallGuard(5000, { failures: 1_000_000, withinMs: 10_000, openForMs: 1000 }, systemClock, () => {}),
      keyPrefix: 'resent:',
      maxPending: 1000,
      onFailure (_reason, code) { t.fail(`the store failed: ${code}`) },
      clock: systemClock,
      onAnswer () {},
      timeUs: () => nowUs
    })
    t.teardown(async () => {
      await store.close()
      client.disconnect()
      reader.disconnect()
    })
    await once(client, 'ready')
    const limit = limitOf({ max: 1000, windowUs: 10_000_000, bucket: 'app/resent' })
    const take = async (request: Partial<LeaseRequest>): Promise<LeaseStanding> => {
      const lease: LeaseRequest = { gridUs: 1_000_000, want: 0, soon: 0, reports: [NOTHING, NOTHING], ...request }
      const answer = await store.take([{ limit, partition: 'ip:203.0.113.9', cost: 1, lease }])
      if (isUnavailable(answer)) throw new Error(answer.unavailable)
      return answer.standings[0]
    }
    await take({ want: 8 })
    nowUs += 2_000_000
    // Two holders.
    const first = await take({ want: 8 })
    const second = await take({ want: 8 })
    t.equal(first.lease?.slotEndUs, second.lease?.slotEndUs)
    proxy.faults.resetNextReply = true
    await take({ reports: [{ slotEndUs: first.lease?.slotEndUs ?? 0, spent: 8, returned: 0 }, NOTHING] })
    t.ok(proxy.connections > 1, 'it was sent again')
    const [key] = await reader.keys('*')
    const value = await reader.getBuffer(key)
    const apart = value === null ? 0 : value.readUIntBE(21, 3) + value.readUIntBE(24, 3)
    t.equal(apart, 8, 'the units of the second holder are leased')
  })
}
