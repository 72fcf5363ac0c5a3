// Every key has a TTL at every moment, and one that lost it gets it back.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { isUnavailable, type Store } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const bench = await openBench(t)
const { redis } = bench

async function take (store: Store, charges: Parameters<Store['take']>[0]) {
  const answer = await store.take(charges)
  if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
  return answer
}

t.test('no key is without a TTL, or without the prefix, while a load of all kinds runs', async (t) => {
  await redis.flushdb()
  const store = bench.store({ keyPrefix: 'expiry:' })
  const limits = ALGORITHMS.flatMap((algorithm) => [
    limitOf({ algorithm, max: 5, windowUs: 50_000, bucket: `short/${algorithm}` }),
    limitOf({ algorithm, max: 50, windowUs: 60 * SECOND_US, bucket: `long/${algorithm}` })
  ])
  const younger = limits.map((limit) => limitOf({ algorithm: limit.algorithm, max: 9, windowUs: 2 * SECOND_US, bucket: limit.bucket }))
  let sampled = 0
  for (let round = 0; round < 150; round++) {
    const partition = `user:${round % 7}`
    const taken = Promise.all([limits, younger, limits.slice(0, 2)].map((some, i) => take(store, some.map((limit) => ({ limit, partition, cost: (round + i) % 3 })))))
    const [{ atUs, standings }] = await taken
    if (round % 5 === 0) await store.adjust(standings.map((standing, i) => ({ standing, atUs, units: i % 2 === 0 ? -standing.charged : 3 })))
    if (round % 40 === 39) await store.reset(limits, partition)
    // In one transaction: a key may expire between two calls.
    const sample = await redis.eval('local all = redis.call("KEYS", "*") local without = {} for _, key in ipairs(all) do if redis.call("PTTL", key) < 0 or key:sub(1, 7) ~= "expiry:" then without[#without + 1] = key end end return { #all, without }', 0) as [number, string[]]
    sampled += sample[0]
    if (sample[1].length > 0) t.strictSame(sample[1], [])
  }
  t.ok(sampled > 1000, `${sampled} keys looked at`)
})

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: a key outlives its window by no more than a moment`, async (t) => {
    const store = bench.store({ keyPrefix: `window-${algorithm}:` })
    const limit = limitOf({ algorithm, max: 3, windowUs: 86_400 * SECOND_US })
    const { standings: [{ resetUs }] } = await take(store, [{ limit, partition: 'user:42', cost: 3 }])
    const [key] = await redis.keys(`window-${algorithm}:*`)
    const ttlMs = await redis.pttl(key)
    t.ok(ttlMs <= Math.ceil(resetUs / 1000) + 1 && ttlMs > resetUs / 1000 - 10_000, `${ttlMs} ms for ${resetUs} us`)
  })

  t.test(`${algorithm}: a key that lost its TTL gets it back, also from a client that is refused`, async (t) => {
    const store = bench.store({ keyPrefix: `persist-${algorithm}:` })
    const limit = limitOf({ algorithm, max: 3, windowUs: 600 * SECOND_US })
    await take(store, [{ limit, partition: 'user:42', cost: 3 }])
    const [key] = await redis.keys(`persist-${algorithm}:*`)
    const enforced = limitOf({ algorithm, max: 0, bucket: 'app/none' })
    const cases: ReadonlyArray<readonly [string, Parameters<Store['take']>[0]]> = [
      ['refused', [{ limit, partition: 'user:42', cost: 1 }]],
      ['refused for good', [{ limit, partition: 'user:42', cost: 4 }]],
      ['asked for nothing', [{ limit, partition: 'user:42', cost: 0 }]],
      ['refused under max 0', [{ limit: { ...limit, max: 0, capacity: 0 }, partition: 'user:42', cost: 1 }]],
      ['another limit refused', [{ limit, partition: 'user:42', cost: 0 }, { limit: enforced, partition: 'user:42', cost: 1 }]]
    ]
    for (const [title, charges] of cases) {
      t.equal(await redis.persist(key), 1)
      await take(store, charges)
      const ttlMs = await redis.pttl(key)
      t.ok(ttlMs > 0 && ttlMs <= 600_001, `${title}: ${ttlMs} ms`)
    }
    t.match((await take(store, [{ limit, partition: 'user:42', cost: 0 }])).standings, [{ remaining: 0 }], 'and its units stay used')
  })
}

t.test('slots live for their lease, and their standing has no times', async (t) => {
  const store = bench.store({ keyPrefix: 'slots:' })
  const slots = { ...limitOf(), ...createQuota('concurrency', 8, 3600 * SECOND_US) }
  t.match((await take(store, [{ limit: slots, partition: 'user:42', cost: 1 }])).standings, [{ resetUs: 0, retryUs: 0, remaining: 7 }])
  const [key] = await redis.keys('slots:*')
  const ttlMs = await redis.pttl(key)
  t.ok(ttlMs <= 3_600_001 && ttlMs > 3_597_000, `${ttlMs} ms`)
})
