// Limits with a period in Redis: whose clock decides, and how long keys live.
import t from 'tap'
import { createCalendarQuota } from '../../../lib/algorithms/quota.js'
import { loadTemporal } from '../../../lib/calendar/temporal.js'
import { ZoneCalendar } from '../../../lib/calendar/zone-calendar.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { loadScript } from '../../../lib/stores/redis/scripts.js'
import { packLimit } from '../../../lib/stores/redis/wire-format.js'
import { isUnavailable, type Limit, type Receipt } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { createBoundaryCalendar } from '../../fixtures/vectors.js'
import { openBench } from './open-store.js'

await loadTemporal()
const bench = await openBench(t)
const PARTITION = 'user:42'
const MONTH_US = 31 * 86_400_000_000

function monthly (bucket: string, timeZone = 'UTC'): Limit {
  return { ...limitOf({ bucket }), ...createCalendarQuota(10, MONTH_US, new ZoneCalendar({ unit: 'month', timeZone, anchorMs: null })) }
}

async function take (store: ReturnType<typeof bench.store>, limit: Limit): Promise<Receipt> {
  const answer = await store.take([{ limit, partition: PARTITION, cost: 1 }])
  if (isUnavailable(answer)) throw new Error(answer.unavailable)
  return answer
}

t.test('the clock of Redis decides, however far that of the instance is off', async (t) => {
  // The clock of the instance is that of this machine, and the scripts are given another time.
  let redisMs = Date.UTC(2028, 1, 28, 23, 59, 59)
  const store = bench.store({ keyPrefix: 'periods-clock:', timeUs: () => redisMs * 1000 })
  const limit = monthly('app/clock')
  for (const [at, endOfPeriod, units] of [
    [Date.UTC(2028, 1, 28, 23, 59, 59), Date.UTC(2028, 2, 1), 1],
    [Date.UTC(2028, 1, 29, 23, 59, 59, 999), Date.UTC(2028, 2, 1), 2],
    [Date.UTC(2028, 2, 1), Date.UTC(2028, 3, 1), 1],
    [Date.UTC(2030, 11, 31), Date.UTC(2031, 0, 1), 1],
    [Date.UTC(2021, 5, 1), Date.UTC(2021, 6, 1), 2]
  ]) {
    redisMs = at
    const { atUs, standings: [{ usage, resetUs }] } = await take(store, limit)
    t.strictSame({ atUs, usage, resetUs }, { atUs: at * 1000, usage: { units, endUs: endOfPeriod * 1000 }, resetUs: (endOfPeriod - at) * 1000 })
  }
  const { atUs, standings } = await take(store, limit)
  redisMs = Date.UTC(2021, 6, 15)
  await store.adjust([{ standing: standings[0], atUs, units: 4 }])
  t.match((await store.peek([limit], PARTITION))[0].usage, { units: 4, endUs: Date.UTC(2021, 7, 1) * 1000 }, 'an adjustment is called again too')
})

t.test('a call knows two periods, each without its end, and at another time it is called again', async (t) => {
  const limit = { ...limitOf(), ...createCalendarQuota(10, 1e15, createBoundaryCalendar([0, 1e15, 2e15, 3e15, 4e15])) }
  const script = loadScript('adjust')
  for (const [redisUs, isKnown] of [[1e15 - 1, false], [1e15, true], [2e15 - 1, true], [2e15, true], [3e15 - 1, true], [3e15, false]] as const) {
    const reply = await bench.redis.eval(script.lua, 0, packLimit(limit, 1e15 + 5), '', String(redisUs))
    t.equal(reply, isKnown ? '' : `PERIOD ${redisUs}`)
  }
})

t.test('a time that is in no period of a broken calendar fails the call, and no other one', async (t) => {
  const codes: string[] = []
  const store = bench.store({ keyPrefix: 'periods-broken:', onFailure: (code) => { codes.push(code) } })
  const broken = { ...limitOf({ bucket: 'app/broken' }), ...createCalendarQuota(10, 1000, { ...createBoundaryCalendar([]), periodAt: () => ({ startUs: 5, endUs: 7 }) }) }
  t.strictSame(await store.take([{ limit: broken, partition: PARTITION, cost: 1 }]), { unavailable: 'error' })
  t.strictSame(codes, ['PERIOD'])
  t.equal((await take(store, monthly('app/fine'))).granted, true)
})

t.test('a key lives until its period ends, in 24 bytes', async (t) => {
  const keyPrefix = 'periods-keys:'
  const store = bench.store({ keyPrefix })
  const limit = monthly('app/keys', 'Asia/Tokyo')
  const { standings: [{ resetUs }] } = await take(store, limit)
  const key = new KeyWriter(keyPrefix).formatBucketKey(limit, PARTITION)
  const leftMs = await bench.redis.pttl(key)
  t.ok(leftMs <= resetUs / 1000 + 2 && leftMs > resetUs / 1000 - 60_000, `${leftMs} of ${resetUs / 1000} ms`)
  t.equal((await bench.redis.getBuffer(key))?.length, 24)
})
