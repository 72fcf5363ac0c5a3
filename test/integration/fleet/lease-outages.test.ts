// Processes that lease from a Redis that hangs or loses what it had, and that reload their limits.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Redis } from 'ioredis'
import { flood, request, startFleet } from '../../fixtures/fleet.js'
import { startLeaseFleet } from '../../fixtures/lease-fleet.js'
import { sharedUs, type Stream } from '../../fixtures/lease-node.js'
import { countUnits, neededBurst, ROUNDING } from '../../fixtures/needed-burst.js'
import { startRedis } from '../../fixtures/redis-server.js'

const SECOND_US = 1_000_000

t.test('leases are spent while Redis hangs, to their end', async (t) => {
  const redis = await startRedis(t)
  const fleet = await startLeaseFleet(t, redis.url, 4, { deadlineMs: 100 })
  const stream: Stream = { name: 'hang', limits: [{ settings: { bucket: 'app/hang', max: 1000, windowUs: SECOND_US } }], phases: [[1000, 60]] }
  const load = fleet.load([stream], 7000)
  const pause = async (ms: number): Promise<{ readonly sinceUs: number, readonly endUs: number }> => {
    redis.signal('SIGSTOP')
    const sinceUs = sharedUs()
    await sleep(ms)
    const endUs = sharedUs()
    redis.signal('SIGCONT')
    return { sinceUs, endUs }
  }
  await sleep(2500)
  const short = await pause(300)
  await sleep(1200)
  const long = await pause(2000)
  const reports = await load
  const grants = fleet.grants()
  const within = ({ sinceUs, endUs }: typeof short) => grants.filter(({ fromUs, untilUs }) => fromUs > sinceUs && untilUs < endUs)
  t.comment(`${countUnits(within(short))} granted in 300 ms, ${countUnits(within(long))} in 2 s; ${reports.map(({ unavailable }) => unavailable).join(' ')} unanswered`)
  t.ok(within(short).length > 0, 'units in hand are spent')
  // A grid is half a second, and a lease lives for two grids at most.
  t.strictSame(within(long).filter(({ fromUs }) => fromUs > long.sinceUs + SECOND_US), [], 'none after the end of the lease')
  t.ok(reports.every(({ unavailable }) => unavailable > 0), 'then the failure mode decides')
  t.ok(neededBurst(grants, 1000 / SECOND_US) <= 1000 + ROUNDING)
})

t.test('a Redis that starts again empty grants one more burst at most, leases included', async (t) => {
  const redis = await startRedis(t)
  const fleet = await startLeaseFleet(t, redis.url)
  const stream: Stream = { name: 'restart', limits: [{ settings: { bucket: 'app/restart', max: 500, windowUs: SECOND_US } }], phases: [[300, 60], [300, 500]] }
  const load = fleet.load([stream], 6000)
  await sleep(2500)
  await redis.restart()
  const restartedUs = sharedUs()
  await load
  const grants = fleet.grants()
  const needed = neededBurst(grants, 500 / SECOND_US)
  t.comment(`${countUnits(grants)} granted, needed burst ${needed.toFixed(3)} of 500`)
  t.ok(grants.some(({ isLeased, fromUs }) => isLeased && fromUs < restartedUs))
  t.ok(grants.some(({ isLeased, fromUs }) => isLeased && fromUs > restartedUs + SECOND_US), 'leases begin again')
  t.ok(needed <= 2 * 500 + ROUNDING)
  // Leases from before have ended.
  t.ok(neededBurst(grants.filter(({ fromUs }) => fromUs > restartedUs + SECOND_US), 500 / SECOND_US) <= 500 + ROUNDING)
})

t.test('a reload under load keeps used units used, and ends the leases of the old limit', async (t) => {
  const { url } = await startRedis(t)
  const client = new Redis(url)
  t.teardown(() => { client.disconnect() })
  const countCalls = async () => {
    const stats = await client.info('commandstats')
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  // A bucket that gains a unit in some seconds.
  const options = { max: 30_000, timeWindow: '100 hours', leases: { hold: '2s' } } as const
  const fleet = await startFleet(t, [0, 1, 2].map(() => ({ redis: url, routes: {}, options })))
  let granted = 0
  let sent = 0
  const counts = { refused: 0 }
  const floodFor = async (ms: number): Promise<void> => {
    const endMs = performance.now() + ms
    const statuses = await flood(fleet, '/plain', 3, () => performance.now() > endMs)
    granted += statuses.get(200) ?? 0
    counts.refused += statuses.get(429) ?? 0
    for (const count of statuses.values()) sent += count
  }
  await floodFor(2500)
  const [sentBefore, callsBefore] = [sent, await countCalls()]
  await floodFor(1000)
  const [leasedSent, calls] = [sent - sentBefore, await countCalls() - callsBefore]
  t.comment(`${calls} calls for ${leasedSent} requests`)
  t.ok(calls < leasedSent / 2, 'most requests were granted from leases')
  // More than is used while the processes reload, one after the other.
  const max = granted + 4 * leasedSent
  const flooding = floodFor(1000)
  await sleep(300)
  for (const node of fleet) {
    t.equal((await request(node, '/reload', { reload: { max } })).status, 200)
    await sleep(100)
  }
  await flooding
  t.equal(counts.refused, 0)
  for (let round = 0; round < 30 && counts.refused < 50; round++) await floodFor(500)
  t.comment(`${granted} granted of ${max}`)
  // The bucket gains a unit in twelve seconds.
  t.ok(granted <= max + 5, 'no used unit is granted again')
  t.ok(granted > 0.97 * max, 'and nearly all others are')
  t.equal(sent, granted + counts.refused)
})
