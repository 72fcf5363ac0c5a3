import t from 'tap'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import type { Charge, Penalty } from '../../../lib/stores/store.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { limitOf, penaltyWith, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const penalty = penaltyWith({ strikes: 3, withinUs: 600 * SECOND_US, cooldownUs: 60 * SECOND_US, maxCooldownUs: 3600 * SECOND_US })

function storeOf (maxKeys: number) {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock, maxKeys, seed: 7 })
  t.teardown(() => store.close())
  const limit = limitOf({ penalty })
  /** A request that brings strikes along. */
  const strike = (partition: string, strikes: number, rule: Penalty = penalty) => {
    const charges: Charge[] = [{ limit: rule === penalty ? limit : { ...limit, penalty: rule }, partition, cost: 0, strikes }]
    return store.take(charges)
  }
  const isBlocked = (partition: string) => store.peek([limit], partition)[0].blockedUs > 0
  return { clock, store, limit, strike, isBlocked }
}

t.test('a partition that was never refused takes no room', async (t) => {
  const { store, limit, strike } = storeOf(100)
  for (let i = 0; i < 50; i++) store.take([{ limit, partition: `user:${i}`, cost: 1 }])
  store.peek([limit], 'user:1')
  strike('user:1', 0)
  t.equal(store.penalties, 0)
  t.equal(store.size, 50)
})

t.test('there are never more conducts than maxKeys, apart from the buckets', async (t) => {
  const { store, strike } = storeOf(20)
  for (let i = 0; i < 500; i++) {
    strike(`user:${i}`, 1 + i % 3)
    if (store.penalties > 20) throw new Error(`${store.penalties} conducts`)
  }
  t.equal(store.penalties, 20)
  t.equal(store.size, 0)
})

t.test('nobody lifts his block by striking under other names', async (t) => {
  const { strike, isBlocked } = storeOf(100)
  for (let i = 0; i < 50; i++) strike(`user:${i}`, 3)
  const others = scaleToLane(10_000, 10_000)
  for (let i = 0; i < others; i++) strike(`key:${i}`, 1)
  for (let i = 0; i < 50; i++) if (!isBlocked(`user:${i}`)) throw new Error(`user:${i} is free`)
  t.pass('all 50 are blocked')
})

t.test('where all are blocked, a new block is that of a group', async (t) => {
  const { clock, store, strike, isBlocked } = storeOf(8)
  for (let i = 0; i < 8; i++) {
    strike(`user:${i}`, 3)
    clock.advance(SECOND_US)
  }
  strike('user:new', 3)
  t.strictSame([0, 1, 2, 3, 4, 5, 6, 7].filter((i) => !isBlocked(`user:${i}`)), [])
  t.equal(isBlocked('user:new'), true)
  t.equal([...store.blocks()].length, 8)
})

t.test('levels are kept in a flood of strikes', async (t) => {
  const { clock, store, limit, strike } = storeOf(8)
  strike('user:bad', 3)
  clock.advance(60 * SECOND_US)
  for (let i = 0; i < 1000; i++) strike(`key:${i}`, 1)
  strike('user:bad', 3)
  t.equal(store.peek([limit], 'user:bad')[0].blockedUs, 120 * SECOND_US, 'of the second level')
})

t.test('the newest is spared', async (t) => {
  const { strike, isBlocked } = storeOf(4)
  for (let i = 0; i < 50; i++) {
    strike(`user:${i}`, 2)
    strike(`user:${i}`, 1)
    if (!isBlocked(`user:${i}`)) throw new Error(`the strikes of user:${i} are gone`)
  }
  t.pass('strikes lead to a block, even in a store that is full')
})

t.test('what has expired goes as new ones come, and with the sweep', async (t) => {
  const { clock, store, strike } = storeOf(10_000)
  for (let i = 0; i < 4000; i++) strike(`old:${i}`, 1 + i % 3)
  clock.advance(60 * SECOND_US + 600 * SECOND_US)
  for (let i = 0; i < 600; i++) strike(`new:${i}`, 1)
  t.equal(store.penalties, 600)
  clock.advance(600 * SECOND_US)
  for (let i = 0; i < 6; i++) store.sweep()
  t.equal(store.penalties, 0)
})

t.test('the sweep lifts no block and forgets no strike or level before its time', async (t) => {
  const { clock, store, limit, strike, isBlocked } = storeOf(100)
  strike('user:blocked', 3)
  strike('user:struck', 2)
  clock.advance(59 * SECOND_US)
  for (let i = 0; i < 10; i++) store.sweep()
  t.equal(isBlocked('user:blocked'), true)
  t.match(strike('user:struck', 1), { blocks: [{ began: true }] })
  clock.advance(SECOND_US + 599 * SECOND_US)
  store.sweep()
  t.match(strike('user:blocked', 3), { blocks: [{ blockedUs: 120 * SECOND_US }] })
  t.equal(store.reset([limit], 'user:struck'), 1)
})

t.test('penalties of one request are apart, and limits without one have none', async (t) => {
  const { store, limit } = storeOf(100)
  const plain = limitOf({ bucket: 'app/plain' })
  const other = { ...limit, bucket: 'app/other', penalty: { ...penalty, bucket: 'app/other' } }
  const charges = [[plain, 2], [limit, 1], [other, 3]].map(([one, strikes]) => ({ limit: one as typeof limit, partition: 'user:1', cost: 1, strikes: strikes as number }))
  t.match(store.take(charges), { granted: false, blocks: { length: 1, 0: { blockedUs: 60 * SECOND_US, began: true } } })
  t.equal(store.penalties, 2)
  t.match(store.peek([plain, limit, other], 'user:1'), [{ blockedUs: 0 }, { blockedUs: 0 }, { blockedUs: 60 * SECOND_US }])
})

t.test('no wait helps a cost above the capacity, also of who is blocked', async (t) => {
  const { store, limit, strike } = storeOf(100)
  strike('user:1', 3)
  t.match(store.take([{ limit, partition: 'user:1', cost: 1000 }]), { standings: [{ retryUs: 'never', blockedUs: 60 * SECOND_US }] })
})

t.test('blocks are listed until they end, also before they are dropped', async (t) => {
  const { clock, store, strike } = storeOf(100)
  strike('user:1', 3)
  clock.advance(20 * SECOND_US)
  strike('user:2', 3)
  strike('user:3', 2)
  t.strictSame([...store.blocks()], [['user:1', 40], ['user:2', 60]].map(([partition, left]) => ({ partition, penalty: penalty.bucket, leftUs: Number(left) * SECOND_US })))
  clock.advance(40 * SECOND_US)
  t.strictSame([...store.blocks()].map(({ partition }) => partition), ['user:2'])
  t.equal(store.penalties, 3)
})

t.test('to reset strikes that no longer count is to reset nothing', async (t) => {
  const { clock, store, limit, strike } = storeOf(100)
  strike('user:1', 1)
  strike('user:2', 1)
  clock.advance(599 * SECOND_US)
  t.equal(store.reset([limit], 'user:1'), 1)
  clock.advance(SECOND_US)
  t.equal(store.reset([limit], 'user:2'), 0)
  t.equal(store.reset([limit], 'user:4'), 0)
})

t.test('no text of a scope or a partition can be taken for another pair of them', async (t) => {
  const { store, limit } = storeOf(100)
  const pairs = [['a', 'bc'], ['ab', 'c'], ['1:a', 'bc'], ['', 'abc'], ['3:abc', ''], ['a', ':bc']]
  pairs.forEach(([bucket, partition], i) => {
    const one = { ...limit, penalty: { ...penalty, bucket } }
    t.match(store.take([{ limit: one, partition, cost: 0, strikes: 2 }]), { blocks: { length: 0 } }, `${bucket} ${partition}`)
    t.equal(store.penalties, i + 1)
  })
})

t.test('a closed store forgets its blocks', async (t) => {
  const { store, strike, isBlocked } = storeOf(100)
  strike('user:1', 3)
  store.close()
  t.equal(isBlocked('user:1'), false)
  t.equal(store.penalties, 0)
})
