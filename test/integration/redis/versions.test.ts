// Two versions of a limit on one Redis, as while a deployment rolls.
import t from 'tap'
import { isUnavailable, type Limit, type Store } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { Seeded } from '../../fixtures/seeded.js'
import { openBench } from './open-store.js'
import { scaleToLane } from '../../fixtures/lane.js'

const PARTITION = 'user:42'
const bench = await openBench(t)
let count = 0

function open (): { store: Store, clock: ManualClock } {
  const clock = new ManualClock()
  return { clock, store: bench.store({ keyPrefix: `versions-${count++}:`, timeUs: () => clock.nowUs() }) }
}

async function take (store: Store, limit: Limit, cost = 1) {
  const answer = await store.take([{ limit, partition: PARTITION, cost }])
  if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
  return answer.standings[0]
}

/** The most that a limit grants in any interval of length t. */
function most ({ algorithm, max, windowUs, capacity }: Limit, us: number): number {
  if (algorithm === 'token-bucket') return capacity + us * max / windowUs
  return max * (Math.floor(us / windowUs) + (algorithm === 'fixed-window' ? 2 : 1))
}

/** Greedy clients of two versions. Returns what both granted, and in which time. */
async function grantAll (limits: readonly [Limit, Limit], seed: number): Promise<{ readonly granted: number, readonly us: number }> {
  const { store, clock } = open()
  const random = new Seeded(seed)
  const startUs = clock.nowUs()
  let granted = 0
  for (let step = 0; step < scaleToLane(150); step++) {
    clock.advance(random.pick([0, 0, 1000, 20_000, 200_000, SECOND_US, 5 * SECOND_US]))
    // Greedy: as much as either still grants.
    for (const limit of random.nextInt(2) === 0 ? limits : limits.toReversed()) {
      const { remaining } = await take(store, limit, 0)
      granted += (await take(store, limit, Math.max(1, remaining))).charged
    }
  }
  return { granted, us: clock.nowUs() - startUs }
}

const PAIRS: ReadonlyArray<readonly [string, Partial<Limit>, Partial<Limit>]> = [
  ['max raised', { max: 10 }, { max: 1000 }],
  ['max lowered by far', { max: 500 }, { max: 3 }],
  ['a shorter window', { max: 60, windowUs: 60 * SECOND_US }, { max: 60, windowUs: SECOND_US }],
  ['both', { max: 1000, windowUs: 3600 * SECOND_US }, { max: 5, windowUs: SECOND_US }]
]

let pairs = 0

for (const [change, old, young] of PAIRS) {
  for (const oldAlgorithm of ALGORITHMS) {
    for (const algorithm of ALGORITHMS) {
      const seed = ++pairs
      t.test(`${change}, ${oldAlgorithm} beside ${algorithm}: no more is granted than the sum of both`, async (t) => {
        const limits = [limitOf({ ...old, algorithm: oldAlgorithm }), limitOf({ ...young, algorithm })] as const
        const { granted, us } = await grantAll(limits, seed)
        t.ok(granted <= most(limits[0], us) + most(limits[1], us), `${granted} of ${most(limits[0], us)} + ${most(limits[1], us)}`)
        t.ok(granted >= Math.min(...limits.map(({ max }) => max)), 'and something is')
      })
    }
  }
}

t.test('units of a sliding window drain evenly once a token bucket has counted them', async (t) => {
  const { store, clock } = open()
  const sliding = limitOf({ algorithm: 'sliding-window', max: 1000, windowUs: 10 * SECOND_US })
  const bucket = limitOf({ algorithm: 'token-bucket', max: 10, windowUs: 10 * SECOND_US })
  t.match(await take(store, sliding, 1000), { granted: true })
  t.match(await take(store, bucket, 0), { remaining: 0 })
  clock.advance(5 * SECOND_US)
  t.match(await take(store, sliding, 0), { remaining: 500 })
})

t.test('beside a token bucket, a sliding window grants no more than a bucket of its numbers would', async (t) => {
  const sliding = limitOf({ algorithm: 'sliding-window', max: 1000, windowUs: 10 * SECOND_US })
  const bucket = limitOf({ algorithm: 'token-bucket', max: 10, windowUs: 10 * SECOND_US })
  for (let seed = 1; seed <= 20; seed++) {
    const { granted, us } = await grantAll([sliding, bucket], seed)
    const bound = most({ ...sliding, algorithm: 'token-bucket' }, us) + most(bucket, us)
    t.ok(granted <= bound, `seed ${seed}: ${granted} of ${bound}`)
  }
})

t.test('a request of the smaller version does not give the larger one its units back', async (t) => {
  const { store, clock } = open()
  const large = limitOf({ max: 1000, windowUs: 3600 * SECOND_US })
  const small = limitOf({ max: 10, windowUs: 60 * SECOND_US })
  t.match(await take(store, large, 900), { granted: true, remaining: 100 })
  t.match(await take(store, small), { granted: false, remaining: 0 }, 'more than its capacity is full')
  clock.advance(6 * SECOND_US)
  t.match(await take(store, small), { granted: true, remaining: 0 })
  t.match(await take(store, large, 0), { remaining: 100 }, '900 less one that drained, and one of the other version')
})

t.test('each version counts what the other grants', async (t) => {
  const { store } = open()
  const old = limitOf({ algorithm: 'fixed-window', max: 100 })
  const young = limitOf({ algorithm: 'fixed-window', max: 50 })
  await take(store, old, 20)
  t.match(await take(store, young, 5), { remaining: 25 })
  t.match(await take(store, old, 1), { remaining: 74 })
  t.match(await take(store, young, 1), { remaining: 23 })
})

t.test('a client that is quiet for the window of the new version is not charged for the old one again', async (t) => {
  const { store, clock } = open()
  const day = limitOf({ max: 1000, windowUs: 86_400 * SECOND_US })
  const minute = limitOf({ max: 100, windowUs: 60 * SECOND_US })
  await take(store, day, 800)
  const { standings: [standing], atUs } = await store.take([{ limit: minute, partition: PARTITION, cost: 0 }]) as Exclude<Awaited<ReturnType<Store['take']>>, { unavailable: unknown }>
  t.equal(standing.remaining, 0)
  clock.advance(60 * SECOND_US)
  t.match(await take(store, minute), { remaining: 99 })
  clock.advance(SECOND_US)
  await store.adjust([{ standing: { ...standing, resetUs: 61 * SECOND_US }, atUs, units: -1 }])
  t.match(await take(store, minute, 0), { remaining: 100 })
})

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: refused under new numbers, it is granted after the stated wait, however often it asked`, async (t) => {
    const { store, clock } = open()
    await take(store, limitOf({ algorithm, max: 100, windowUs: 3600 * SECOND_US }), 100)
    const young = limitOf({ algorithm, max: 100, windowUs: 10 * SECOND_US })
    const { granted, retryUs } = await take(store, young)
    if (granted || retryUs === 'never') throw new Error('it is refused for a while')
    t.ok(retryUs <= 10 * SECOND_US)
    const parts = 7
    for (let i = 0; i < parts; i++) {
      t.equal((await take(store, young)).granted, false)
      clock.advance(i === 0 ? retryUs - (parts - 1) * Math.floor(retryUs / parts) - 1 : Math.floor(retryUs / parts))
    }
    t.equal((await take(store, young)).granted, false, 'one microsecond early')
    clock.advance(1)
    t.equal((await take(store, young)).granted, true)
  })
}
