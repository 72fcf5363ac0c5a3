// A check that no request waits for: it reports, and asks for more units.
import t from 'tap'
import { Renewal } from '../../../lib/stores/lease/renewal.js'
import type { Answer, Limit } from '../../../lib/stores/store.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { GRID_US, NOTHING, openBucket, report, tokens } from './open-bucket.js'

const limit: Limit = { ...tokens, lease: { gridUs: GRID_US } }

function open (mayLease = true) {
  const { bucket, lease, spend, learned } = openBucket(limit)
  lease(10)
  spend(4, 0)
  const clock = new ManualClock(1000)
  const blocked: string[] = []
  const renewal = new Renewal(bucket, { clock, onBlock: (partition) => { blocked.push(partition) } }).begin(mayLease)
  renewal.prepare()
  return { bucket, clock, blocked, renewal, learned }
}

function createReceipt (units: number): Answer {
  const standing = { limit, partition: 'a', charged: 0, granted: true, remaining: 400, resetUs: 600_000, delayUs: 0, retryUs: 0, blockedUs: 0 }
  const leased = { ...standing, lease: { units, lifeUs: GRID_US, slotEndUs: 7, apart: units } }
  return { granted: true, atUs: 60_000_000, standings: [units > 0 ? leased : standing], blocks: [{ partition: 'b', blockedUs: 1, began: false }] }
}

t.test('it costs no unit, reports what was spent, and asks for more', async (t) => {
  const { bucket, renewal } = open()
  t.strictSame(renewal.charges, [{ limit, partition: 'a', cost: 0, lease: { gridUs: GRID_US, want: 14, soon: 3, reports: [NOTHING, report(1000, 4)] } }])
  t.equal(bucket.asks.isAskingForLease, true)
  t.equal(renewal.withinUs, 20_000, 'a third of the time for which six units suffice')
  const reporting = open(false)
  t.equal(reporting.renewal.withinUs, 15_000)
  t.equal(reporting.renewal.charges[0].lease?.want, 0)
  t.equal(reporting.bucket.asks.isAskingForLease, false)
})

for (const [way, wrap] of [['at once', (answer: Answer) => answer], ['later', async (answer: Answer) => answer]] as const) {
  t.test(`an answer that comes ${way} is taken over`, async (t) => {
    const { bucket, renewal, clock, blocked } = open()
    clock.advance(500)
    const resumed: unknown[] = []
    bucket.asks.wait((failure) => { resumed.push(failure) })
    renewal.resolve(wrap(createReceipt(12)))
    await Promise.resolve()
    t.strictSame([bucket.held.map(({ size, endUs }) => [size, endUs]), blocked, resumed], [[[10, 99_000], [12, 100_000]], ['b'], [null]])
    t.strictSame([bucket.asks.isAskingForLease, bucket.asks.canAsk(1500)], [false, true])
    t.equal(bucket.createStanding(0, bucket.held[0].id, 1500).atUs, 60_000_000)
  })
}

t.test('without a lease in the answer, the next one is not asked for at once', async (t) => {
  const { bucket, renewal } = open()
  renewal.resolve(createReceipt(0))
  t.strictSame([bucket.asks.canAsk(5999), bucket.asks.canAsk(6000), bucket.held.length], [false, true, 1])
})

t.test('a renewal that only reports ends no request for a lease', async (t) => {
  const { bucket, renewal } = open(false)
  bucket.asks.begin(true)
  renewal.resolve(createReceipt(0))
  t.equal(bucket.asks.isAskingForLease, true)
})

for (const [why, answer, reason] of [
  ['fails', { unavailable: 'deadline' } as Answer, 'deadline'],
  ['fails later', Promise.resolve<Answer>({ unavailable: 'breaker' }), 'breaker'],
  ['rejects', null, 'error']
] as const) {
  t.test(`a renewal that ${why} lets others go on, and asks again after a pause`, async (t) => {
    const { bucket, renewal } = open()
    const resumed: unknown[] = []
    bucket.asks.wait((failure) => { resumed.push(failure) })
    renewal.resolve(answer ?? Promise.reject(new Error('a bug')))
    await Promise.resolve()
    t.strictSame([resumed, bucket.held.length], [[{ unavailable: reason }], 1])
    t.strictSame([bucket.asks.canAsk(5999), bucket.asks.canAsk(6000)], [false, true])
  })
}
