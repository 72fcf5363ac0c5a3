// Seeded random requests for leases, reports and charges: the scripts must answer them as the functions in TypeScript do.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { LeaseReport, LeaseRequest } from '../../../lib/algorithms/lease.js'
import { isExact } from '../../../lib/algorithms/quota.js'
import type { LeaseCharge, LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import { isUnavailable, type Limit } from '../../../lib/stores/store.js'
import { LeasingBucket } from '../../fixtures/leased-bucket.js'
import { limitOf } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { Seeded } from '../../fixtures/seeded.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { openBench, type Bench } from './open-store.js'

const STEPS_US = [0, 1, 137, 10_000, 99_999, 333_333, 1_000_000, 2_500_000, 60_000_000]
const GRIDS_US = [20_000, 50_000, 333_333, 1_000_000]

const bench = await openBench(t)

function drawLeasedLimit (random: Seeded, bucket: string): Limit {
  while (true) {
    const max = random.pick([64, 100, 130, 1000, 3000, 999_983])
    const limit = limitOf({
      algorithm: random.pick(['token-bucket', 'token-bucket', 'fixed-window']),
      max,
      windowUs: random.pick([333_333, 1_000_000, 10_000_000, 60_000_000]),
      bucket
    })
    if (isExact(limit)) return limit
  }
}

async function runSequence ({ store }: Bench, seed: number): Promise<{ leases: number, refusals: number }> {
  const random = new Seeded(seed)
  const clock = new ManualClock()
  const redis = store({ keyPrefix: `lease-twins-${seed}:`, timeUs: () => clock.nowUs() })
  const limits = [drawLeasedLimit(random, 'app/0'), drawLeasedLimit(random, 'app/1')]
  const twins = limits.map((limit) => new LeasingBucket(limit))
  const slots: number[] = []
  let leases = 0
  let refusals = 0
  const drawReport = (): LeaseReport => slots.length === 0 || random.nextInt(3) === 0
    ? { slotEndUs: 0, spent: 0, returned: 0 }
    : { slotEndUs: slots[slots.length - 1 - random.nextInt(Math.min(4, slots.length))], spent: random.nextInt(20), returned: random.nextInt(4) }
  const drawRequest = (): LeaseRequest => {
    const want = random.pick([0, 4, 8, 64, 1000])
    return { gridUs: random.pick(GRIDS_US), want, soon: random.nextInt(want + 1), reports: [drawReport(), drawReport()] }
  }
  for (let step = 0; step < 150; step++) {
    clock.advance(random.nextInt(20) === 0 ? -random.pick(STEPS_US) : random.pick(STEPS_US))
    const i = random.nextInt(limits.length)
    const limit = limits[i]
    const cost = random.pick([0, 1, 1, 5, 40, limit.capacity + 1])
    const lease = random.nextInt(3) === 0 ? undefined : drawRequest()
    const charge: LeaseCharge = { limit, partition: 'ip:203.0.113.9', cost, ...lease === undefined ? {} : { lease } }
    const answer = await redis.take([charge])
    if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
    const [{ granted, remaining, resetUs, retryUs, lease: leased }] = answer.standings as LeaseStanding[]
    const expected = twins[i].take(cost, lease, clock.nowUs())
    assert.deepEqual({ granted, remaining, resetUs, retryUs, ...leased === undefined ? {} : { lease: leased } }, expected, `seed ${seed}, step ${step}`)
    if (leased !== undefined) {
      leases++
      slots.push(leased.slotEndUs)
    }
    if (!granted) refusals++
  }
  return { leases, refusals }
}

/** Renewals of one grid, each with charges and renewals beside it in the same call. */
async function runRenewals ({ store }: Bench, seed: number): Promise<number> {
  const random = new Seeded(seed)
  const clock = new ManualClock()
  const redis = store({ keyPrefix: `lease-renewals-${seed}:`, timeUs: () => clock.nowUs() })
  const limit = limitOf({ max: random.pick([64, 100, 1000]), windowUs: random.pick([1_000_000, 10_000_000]), bucket: 'app/0' })
  const gridUs = random.pick([50_000, 1_000_000])
  const partitions = ['ip:203.0.113.8', 'ip:203.0.113.9']
  const twins = new Map(partitions.map((partition) => [partition, { bucket: new LeasingBucket(limit), slots: [] as number[] }]))
  let leases = 0
  const drawCharge = (): LeaseCharge => {
    const partition = random.pick(partitions)
    const slots = twins.get(partition)?.slots ?? []
    const drawReport = (): LeaseReport => ({ slotEndUs: slots.at(-1 - random.nextInt(3)) ?? 0, spent: random.nextInt(20), returned: random.nextInt(4) })
    const want = random.pick([0, 4, 8, 64])
    const lease = random.nextInt(8) === 0 ? undefined : { gridUs, want, soon: random.nextInt(want + 1), reports: [drawReport(), drawReport()] as const }
    return { limit, partition, cost: random.pick([0, 0, 0, 0, 1, 7]), ...lease === undefined ? {} : { lease } }
  }
  for (let step = 0; step < 100; step++) {
    clock.advance(random.nextInt(30) === 0 ? -random.pick([137, 10_000, 1_000_000]) : random.pick([137, 10_000, 50_000, 333_333, 1_000_000, 5_000_000]))
    const charges = Array.from({ length: random.pick([1, 1, 2, 3]) }, drawCharge)
    const answers = await Promise.all(charges.map((charge) => redis.take([charge])))
    for (const [i, answer] of answers.entries()) {
      if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
      const { cost, partition, lease } = charges[i]
      const [{ granted, remaining, resetUs, retryUs, lease: leased }] = answer.standings as LeaseStanding[]
      const twin = twins.get(partition)
      const expected = twin?.bucket.take(cost, lease, clock.nowUs())
      assert.deepEqual({ granted, remaining, resetUs, retryUs, ...leased === undefined ? {} : { lease: leased } }, expected, `seed ${seed}, step ${step}, ${i}`)
      if (leased === undefined) continue
      leases++
      twin?.slots.push(leased.slotEndUs)
    }
  }
  return leases
}

t.test('Redis renews leases as the functions in TypeScript do', async (t) => {
  let leases = 0
  for (let seed = 1; seed <= scaleToLane(30); seed++) leases += await runRenewals(bench, seed)
  t.ok(leases > scaleToLane(600), String(leases))
})

t.test('a renewal leases a quarter of what is left, if that is four units or more', async (t) => {
  const clock = new ManualClock()
  const redis = bench.store({ keyPrefix: 'lease-quarter:', timeUs: () => clock.nowUs() })
  const limit = limitOf({ max: 64, windowUs: 64_000_000_000, bucket: 'app/quarter' })
  const nothing = { slotEndUs: 0, spent: 0, returned: 0 }
  const take = async (cost: number) => {
    const charge: LeaseCharge = { limit, partition: 'user:1', cost, lease: { gridUs: 20_000, want: cost === 0 ? 20 : 0, soon: 0, reports: [nothing, nothing] } }
    const answer = await redis.take([charge])
    if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
    return (answer.standings as LeaseStanding[])[0].lease?.units ?? 0
  }
  await take(44)
  t.equal(await take(0), 0, 'the bucket is made ready')
  clock.advance(60_000)
  t.equal(await take(0), 5, 'of 20')
  t.equal(await take(0), 0, 'of 15')
})

t.test('the key of a renewed bucket lives until all leased units have drained', async (t) => {
  const redis = bench.store({ keyPrefix: 'lease-life:' })
  const limit = limitOf({ max: 100, windowUs: 100_000_000, bucket: 'app/life' })
  const reports = [{ slotEndUs: 0, spent: 0, returned: 0 }, { slotEndUs: 0, spent: 0, returned: 0 }] as const
  const renewal: LeaseCharge = { limit, partition: 'user:1', cost: 0, lease: { gridUs: 1_000_000, want: 20, soon: 0, reports } }
  let units = 0
  for (const endMs = Date.now() + 10_000; units === 0 && Date.now() < endMs; await delay(100)) {
    const answer = await redis.take([renewal])
    if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
    units = (answer.standings as LeaseStanding[])[0].lease?.units ?? 0
    if (units === 0) continue
    const [key] = await bench.redis.keys('lease-life:*')
    const ttlMs = await bench.redis.pttl(key)
    // They drain in 20 s, from the end of the next slot, which is one to two seconds away.
    t.ok(ttlMs > 20_300 && ttlMs <= 22_001, String(ttlMs))
  }
  t.equal(units, 20)
})

t.test('Redis leases as the functions in TypeScript do', async (t) => {
  let leases = 0
  let refusals = 0
  for (let seed = 1; seed <= scaleToLane(30); seed++) {
    const met = await runSequence(bench, seed)
    leases += met.leases
    refusals += met.refusals
  }
  t.ok(leases > scaleToLane(300) && refusals > scaleToLane(100), JSON.stringify({ leases, refusals }))
})

const PARTITIONS = ['ip:203.0.113.9', 'user:42']
const NOTHING: LeaseReport = { slotEndUs: 0, spent: 0, returned: 0 }

/** Holders that report all of a lease at once, so that a bucket often has no leases but is ready for them. */
async function runBatches ({ store }: Bench, seed: number): Promise<{ ready: number, leases: number, adjusted: number }> {
  const random = new Seeded(seed)
  const clock = new ManualClock()
  const redis = store({ keyPrefix: `lease-batches-${seed}:`, timeUs: () => clock.nowUs() })
  const limit = limitOf({ max: random.pick([64, 100, 1000]), windowUs: random.pick([1_000_000, 10_000_000]), bucket: 'app/0' })
  const twins = PARTITIONS.map(() => new LeasingBucket(limit))
  const held: LeaseReport[][] = PARTITIONS.map(() => [])
  const charged: Array<{ readonly i: number, readonly standing: LeaseStanding, readonly atUs: number }> = []
  const met = { ready: 0, leases: 0, adjusted: 0 }
  for (let step = 0; step < 150; step++) {
    // Without steps back: a bucket that is ready keeps its slot, and the twin brings it to now.
    clock.advance(random.pick([0, 1, 137, 10_000, 99_999, 333_333, 1_000_000, 2_500_000]))
    const checks = Array.from({ length: 1 + random.nextInt(5) }, () => {
      const i = random.nextInt(PARTITIONS.length)
      const want = random.pick([0, 8, 64])
      const isAsking = random.nextInt(3) === 0
      const lease: LeaseRequest | undefined = isAsking
        ? { gridUs: 100_000, want, soon: random.nextInt(want + 1), reports: [held[i].shift() ?? NOTHING, held[i].shift() ?? NOTHING] }
        : undefined
      return { i, charge: { limit, partition: PARTITIONS[i], cost: random.pick([isAsking ? 0 : 1, 1, 5, 30]), lease } }
    })
    const answers = await Promise.all(checks.map(({ charge }) => redis.take([charge])))
    for (const [at, { i, charge: { cost, lease } }] of checks.entries()) {
      const answer = answers[at]
      if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
      const [standing] = answer.standings as LeaseStanding[]
      const { granted, remaining, resetUs, retryUs, lease: leased } = standing
      if (lease === undefined && twins[i].isReady) met.ready++
      const expected = twins[i].take(cost, lease, clock.nowUs())
      assert.deepEqual({ granted, remaining, resetUs, retryUs, ...leased === undefined ? {} : { lease: leased } }, expected, `seed ${seed}, step ${step}`)
      if (standing.charged > 0) charged.push({ i, standing, atUs: answer.atUs })
      if (leased === undefined) continue
      met.leases++
      const spent = random.nextInt(leased.units + 1)
      held[i].push({ slotEndUs: leased.slotEndUs, spent, returned: leased.units - spent })
    }
    if (random.nextInt(3) > 0 || charged.length === 0) continue
    const { i, standing, atUs } = charged.splice(random.nextInt(charged.length), 1)[0]
    const units = random.nextInt(4) === 0 ? random.nextInt(40) : -standing.charged
    await redis.adjust([{ standing, atUs, units }])
    twins[i].adjust(units, atUs, atUs + standing.resetUs, clock.nowUs())
    met.adjusted++
  }
  return met
}

t.test('a bucket that is ready for leases is decided as one without, beside refunds and charges', async (t) => {
  const all = { ready: 0, leases: 0, adjusted: 0 }
  for (let seed = 1; seed <= scaleToLane(24); seed++) {
    const met = await runBatches(bench, seed)
    for (const key of ['ready', 'leases', 'adjusted'] as const) all[key] += met[key]
  }
  t.ok(Math.min(all.ready, all.leases, all.adjusted) > scaleToLane(400), JSON.stringify(all))
})
