// What callers see of leases: refunds, later charges, resets, peeks, blocks, several limits. On a clock that the test moves.
import t, { type Test } from 'tap'
import { isLeasedStanding } from '../../../lib/stores/lease/leased-standing.js'
import type { Leases } from '../../../lib/stores/lease/leases.js'
import { isUnavailable, type Charge, type Limit, type Receipt } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { until } from '../../fixtures/until.js'
import { leasedLimitOf, openLeases } from './open-leases.js'
import { openBench } from './open-store.js'

const bench = await openBench(t)
const PARTITION = 'ip:203.0.113.9'
const HOLD_US = 400_000

let buckets = 0

/** A limit of 1000 units, one a millisecond, in a bucket of its own. */
function newLimit (settings: Partial<Parameters<typeof limitOf>[0]> = {}): Limit {
  return leasedLimitOf({ max: 1000, windowUs: 1_000_000, bucket: `app/${buckets++}`, ...settings }, HOLD_US)
}

function open (t: Test, clock: ManualClock): Leases {
  return openLeases(t, bench, { keyPrefix: 'corrections:', timeUs: () => clock.nowUs() }, clock)
}

function toCharges (limits: readonly Limit[], cost = 1): Charge[] {
  return limits.map((limit) => ({ limit, partition: PARTITION, cost }))
}

async function take (leases: Leases, limits: readonly Limit[], cost = 1): Promise<Receipt> {
  const answer = await leases.take(toCharges(limits, cost))
  if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
  return answer
}

const isLeased = ({ standings }: Receipt) => standings.every(isLeasedStanding)

/** Take until the buckets are leased: not before all leases could have ended that an older version might not know. */
async function warmUp (leases: Leases, clock: ManualClock, limits: readonly Limit[]): Promise<Receipt> {
  for (let round = 0; round < 200; round++) {
    const receipt = await take(leases, limits)
    if (isLeased(receipt)) return receipt
    clock.advance(HOLD_US / 20)
  }
  throw new Error('never leased')
}

/** Units that Redis has free, as an instance without leases sees it. */
async function countFree (clock: ManualClock, limit: Limit): Promise<number> {
  const store = bench.store({ keyPrefix: 'corrections:', timeUs: () => clock.nowUs() })
  const [{ remaining }] = await store.peek([limit], PARTITION)
  return remaining
}

t.test('a refund goes to the lease that paid, without a call', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const limit = newLimit()
  const receipt = await warmUp(leases, clock, [limit])
  const free = await countFree(clock, limit)
  const [before] = receipt.standings
  await leases.adjust([{ standing: before, atUs: receipt.atUs, units: -1 }])
  const [after] = (await take(leases, [limit])).standings
  t.ok(isLeasedStanding(after))
  t.equal(after.remaining, before.remaining)
  t.equal(await countFree(clock, limit), free)
})

t.test('a refund after the end of the lease gives back what has not drained', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  // One unit a second: none of these has drained when the lease is over.
  const limit = newLimit({ max: 100, windowUs: 100_000_000 })
  const receipt = await warmUp(leases, clock, [limit])
  clock.advance(2 * HOLD_US)
  const free = await countFree(clock, limit)
  await leases.adjust([{ standing: receipt.standings[0], atUs: receipt.atUs, units: -1 }])
  // Others were spent before it, so that it had not begun to drain.
  t.equal(await countFree(clock, limit), free + 1)
})

t.test('units used without a check are taken from the lease, and the rest from the bucket', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const limit = newLimit()
  const receipt = await warmUp(leases, clock, [limit])
  const [standing] = await leases.peek([limit], PARTITION)
  await leases.adjust([{ standing: receipt.standings[0], atUs: receipt.atUs, units: 500 }])
  const [after] = await leases.peek([limit], PARTITION)
  t.equal(after.remaining, standing.remaining - 500)
})

t.test('a reset takes hold at once on this instance, and on others when their leases end', async (t) => {
  const clock = new ManualClock()
  const [one, other] = [open(t, clock), open(t, clock)]
  const limit = newLimit()
  await warmUp(one, clock, [limit])
  await warmUp(other, clock, [limit])
  await one.reset([limit], PARTITION)
  t.equal((await one.peek([limit], PARTITION))[0].remaining, 1000)
  t.notOk(isLeased(await take(one, [limit])), 'this instance asks')
  t.ok(isLeased(await take(other, [limit])), 'the other one spends what it holds')
  clock.advance(HOLD_US)
  t.notOk(isLeased(await take(other, [limit])))
  t.ok((await take(one, [limit])).standings[0].remaining >= 980, 'of the new bucket')
})

t.test('peek sees the units in hand', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const limit = newLimit()
  const { standings: [standing] } = await warmUp(leases, clock, [limit])
  const [seen] = await leases.peek([limit], PARTITION)
  t.ok(await countFree(clock, limit) < seen.remaining)
  t.equal(seen.remaining, standing.remaining)
})

t.test('a closed instance gives back what it holds', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const limit = newLimit()
  await warmUp(leases, clock, [limit])
  const [{ remaining }] = await leases.peek([limit], PARTITION)
  t.ok(await countFree(clock, limit) < remaining)
  leases.endLeases()
  await until('all is back', 5000, async () => await countFree(clock, limit) === remaining)
})

t.test('a unit in hand is spent before a refusal is believed', async (t) => {
  const clock = new ManualClock()
  const [one, other] = [open(t, clock), open(t, clock)]
  const limit = newLimit()
  await warmUp(one, clock, [limit])
  const free = await countFree(clock, limit)
  t.ok((await take(other, [limit], free)).granted)
  const refused = await take(other, [limit])
  t.notOk(refused.granted)
  t.ok((await take(one, [limit])).granted, 'it has units')
  // The wait of the refusal is long enough, whatever the holder does.
  const { retryUs } = refused.standings[0]
  clock.advance(Number(retryUs))
  t.ok((await take(other, [limit])).granted)
})

t.test('a block ends the leases of its partition', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const penalty = penaltyWith({ bucket: 'app/penalty', strikes: 1, withinUs: 60_000_000, cooldownUs: 10_000_000, factor: 1, maxCooldownUs: 10_000_000 })
  const limit = newLimit({ penalty })
  const login = limitOf({ max: 1, windowUs: 60_000_000, bucket: 'app/login', penalty })
  await warmUp(leases, clock, [limit])
  await take(leases, [login])
  t.equal((await take(leases, [login])).blocks.length, 1)
  const blocked = await take(leases, [limit])
  t.notOk(blocked.granted)
  t.equal(blocked.blocks.length, 1)
})

t.test('several limits are leased together, and charged all or none', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const [wide, narrow] = [newLimit(), newLimit({ max: 500 })]
  await warmUp(leases, clock, [wide, narrow])
  await leases.peek([wide, narrow], PARTITION)
  t.ok(isLeased(await take(leases, [wide, narrow])))
  // Only the wide one has so many.
  const before = await leases.peek([wide, narrow], PARTITION)
  const refused = await take(leases, [wide, narrow], 600)
  t.notOk(refused.granted)
  t.strictSame((await leases.peek([wide, narrow], PARTITION)).map(({ remaining }) => remaining), before.map(({ remaining }) => remaining))
})

t.test('units are reserved while the store decides another limit of the request', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const limit = newLimit()
  const small = limitOf({ max: 3, windowUs: 60_000_000, bucket: `app/${buckets++}` })
  await warmUp(leases, clock, [limit])
  const [{ remaining }] = await leases.peek([limit], PARTITION)
  for (let i = 0; i < 3; i++) t.ok((await take(leases, [limit, small])).granted)
  t.equal((await leases.peek([limit], PARTITION))[0].remaining, remaining - 3)
  t.notOk((await take(leases, [limit, small])).granted)
  t.equal((await leases.peek([limit], PARTITION))[0].remaining, remaining - 3, 'given back')
})

t.test('a limit in shadow mode is leased, and never refuses', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const [limit, shadow] = [newLimit(), newLimit({ max: 100, mode: 'shadow' })]
  await warmUp(leases, clock, [limit, shadow])
  let refusals = 0
  for (let i = 0; i < 200; i++) {
    const receipt = await take(leases, [limit, shadow])
    t.ok(receipt.granted)
    if (!receipt.standings[1].granted) refusals++
  }
  t.ok(refusals > 50)
})

t.test('a cost above what one lease has left is spent across two', async (t) => {
  const clock = new ManualClock()
  const leases = open(t, clock)
  const limit = newLimit({ max: 100_000 })
  await warmUp(leases, clock, [limit])
  let leased = 0
  for (let i = 0; i < 300; i++) {
    if (isLeased(await take(leases, [limit], 3))) leased++
    clock.advance(100)
  }
  t.ok(leased > 250)
})

t.test('a fixed window grants no more than its units, and gets back what was not spent', async (t) => {
  const clock = new ManualClock()
  const [one, other] = [open(t, clock), open(t, clock)]
  const limit = newLimit({ algorithm: 'fixed-window', max: 400, windowUs: 60_000_000 })
  let granted = 0
  for (let i = 0; i < 40; i++) {
    if ((await take(one, [limit])).granted) granted++
    clock.advance(HOLD_US / 20)
  }
  t.ok(isLeased(await take(one, [limit])))
  clock.advance(2 * HOLD_US)
  // The interval of the process, which returns what ended leases of windows have left.
  await take(one, [limit])
  granted += 2
  for (let i = 0; i < 500; i++) if ((await take(other, [limit])).granted) granted++
  for (let i = 0; i < 500; i++) if ((await take(one, [limit])).granted) granted++
  t.equal(granted, 400)
})
