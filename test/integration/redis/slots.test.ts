// Checks with slots in Redis: in shadow mode, and with a key of another type.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import type { Charge, Limit } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const bench = await openBench(t)
let stores = 0
const slots: Limit = { ...limitOf({ bucket: 'app/slots' }), ...createQuota('concurrency', 8, 600 * SECOND_US) }
const strict = limitOf({ max: 1, windowUs: 600 * SECOND_US, penalty: penaltyWith({ strikes: 1 }) })

/** A store without slots, and what it fails with. */
function open () {
  const codes: string[] = []
  const keyPrefix = `slots-${stores++}:`
  return { codes, keyPrefix, store: bench.store({ keyPrefix, onFailure: (code) => { codes.push(code) } }) }
}

const chargesOf = (partition: string, ...limits: readonly Limit[]): Charge[] => limits.map((limit) => ({ limit, partition, cost: 1 }))

t.test('a slot in shadow mode is taken by a check that is refused, and not by one that is blocked', async (t) => {
  const { store } = open()
  const shadow: Limit = { ...slots, mode: 'shadow' }
  const outcomes = []
  for (let i = 0; i < 3; i++) outcomes.push(await store.take(chargesOf('user:1', strict, shadow)))
  t.match(outcomes, [
    { granted: true, blocks: { length: 0 }, standings: [{ charged: 1 }, { charged: 1, remaining: 7 }] },
    { granted: false, blocks: [{ began: true }], standings: [{ charged: 0 }, { charged: 1, remaining: 6 }] },
    { granted: false, blocks: [{ began: false }], standings: [{ charged: 0 }, { charged: 0, remaining: 6 }] }
  ])
})

t.test('slots of another type fail their own check, and no other', async (t) => {
  const { codes, keyPrefix, store } = open()
  await store.take(chargesOf('user:2', slots))
  const [key] = await bench.redis.keys(`${keyPrefix}*`)
  await bench.redis.del(key)
  await bench.redis.lpush(key, 'a list')
  const answers = await Promise.all([store.take(chargesOf('user:3', slots)), store.take(chargesOf('user:2', limitOf(), slots)), store.take(chargesOf('user:4', slots))])
  t.match(answers, [{ granted: true }, { unavailable: 'error' }, { granted: true }])
  t.strictSame(codes, ['WRONGTYPE'])
  t.match(await store.peek([limitOf()], 'user:2'), [{ remaining: 10 }], 'nothing of it is charged')
})

t.test('a rate of another type fails a check with slots, which takes none, and no other', async (t) => {
  const { codes, keyPrefix, store } = open()
  await store.take(chargesOf('user:5', limitOf()))
  const [key] = await bench.redis.keys(`${keyPrefix}*`)
  await bench.redis.del(key)
  await bench.redis.lpush(key, 'a list')
  const answers = await Promise.all([store.take(chargesOf('user:5', limitOf(), slots)), store.take(chargesOf('user:6', limitOf(), slots))])
  t.match(answers, [{ unavailable: 'error' }, { granted: true }])
  t.strictSame(codes, ['WRONGTYPE'])
  t.match(await store.take(chargesOf('user:5', slots)), { granted: true, standings: [{ remaining: 7 }] })
})
