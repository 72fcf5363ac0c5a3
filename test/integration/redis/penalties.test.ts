// How a partition stands under a penalty, as Redis keeps it.
import t from 'tap'
import { isUnavailable, type Charge, type Receipt, type Store } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const bench = await openBench(t, 'own')
const { redis } = bench
const penalty = penaltyWith({ withinUs: 600 * SECOND_US })
const limit = limitOf({ max: 1, windowUs: 100 * SECOND_US, penalty })

async function take (store: Store, charges: readonly Charge[]): Promise<Receipt> {
  const answer = await store.take(charges)
  if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
  return answer
}

function charge (strikes = 0, partition = 'user:42', cost = 1): Charge[] {
  return [{ limit, partition, cost, strikes }]
}

async function conductKey (prefix: string): Promise<string> {
  const keys = (await redis.keys(`${prefix}*`)).filter((key) => key.includes('}!'))
  if (keys.length !== 1) throw new Error(`${keys.length} conducts`)
  return keys[0]
}

/** How often the server has run a command. */
async function callsOf (command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis.info('commandstats'))?.[1] ?? 0)
}

t.test('strikes live as long as they count, a block until its levels are forgiven', async (t) => {
  const store = bench.store({ keyPrefix: 'life:' })
  await take(store, charge(2))
  const key = await conductKey('life:')
  t.match(key, /^life:\{user:42\}![\w-]{8}$/, 'in the slot of the partition\'s buckets')
  const within = (ttlMs: number, ms: number) => ttlMs > ms - 5000 && ttlMs <= ms + 1
  t.ok(within(await redis.pttl(key), 600_000))
  t.match(await take(store, charge(1)), { blocks: [{ began: true }] })
  t.ok(within(await redis.pttl(key), 610_000))
  t.ok(await redis.memory('USAGE', key) as number <= 200)
  t.equal(await store.reset([limit], 'user:42'), 2)
  t.strictSame(await redis.keys('life:*'), [])
})

t.test('who is never refused leaves nothing behind', async (t) => {
  const store = bench.store({ keyPrefix: 'innocent:' })
  await take(store, charge())
  await take(store, charge(0, 'user:42', 0))
  await store.peek([limit], 'user:43')
  t.equal((await redis.keys('innocent:*')).length, 1, 'but the bucket')
})

t.test('a conduct that lost its TTL gets it back, also from who is blocked', async (t) => {
  const store = bench.store({ keyPrefix: 'persist:' })
  await take(store, charge(2))
  const key = await conductKey('persist:')
  for (const [title, charges] of [['struck', charge()], ['asked for nothing', charge(0, 'user:42', 0)], ['last strike', charge()], ['blocked', charge()]] as const) {
    t.equal(await redis.persist(key), 1)
    await take(store, charges)
    const ttlMs = await redis.pttl(key)
    t.ok(ttlMs > 0 && ttlMs <= 610_001, `${title}: ${ttlMs} ms`)
  }
})

t.test('a penalty costs one more key to read and no further call, and a limit without one nothing', async (t) => {
  const store = bench.store({ keyPrefix: 'calls:' })
  await take(store, charge(0, 'user:1'))
  const plain = limitOf({ bucket: 'app/plain' })
  const before = { gets: await callsOf('get'), calls: await callsOf('evalsha') }
  await take(store, [{ limit: plain, partition: 'user:1', cost: 1 }])
  t.strictSame([await callsOf('get') - before.gets, await callsOf('evalsha') - before.calls], [1, 1])
  await take(store, [{ limit: plain, partition: 'user:1', cost: 1 }, ...charge(0, 'user:1')])
  t.strictSame([await callsOf('get') - before.gets, await callsOf('evalsha') - before.calls], [1 + 3, 2])
})

t.test('of checks in one call, those before a block are answered without it, and one begins it', async (t) => {
  const store = bench.store({ keyPrefix: 'batch:' })
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => take(store, charge(0, i === 6 ? 'user:43' : 'user:42'))))
  t.strictSame(answers.map(({ granted }) => granted), [true, false, false, false, false, false, true, false])
  t.strictSame(answers.map(({ blocks }) => blocks.map(({ began }) => began)), [[], [], [], [true], [false], [false], [], [false]])
})

t.test('a conduct of another type fails its own check, which charges nothing, and no other', async (t) => {
  const codes: string[] = []
  const store = bench.store({ keyPrefix: 'foreign:', onFailure: (code) => { codes.push(code) } })
  await take(store, charge(1))
  const key = await conductKey('foreign:')
  await redis.del(key)
  await redis.lpush(key, 'a list')
  await store.reset([limitOf({ max: 1 })], 'user:42')
  const answers = await Promise.all([store.take(charge()), store.take(charge(0, 'user:43')), store.take([{ limit: limitOf({ max: 1 }), partition: 'user:42', cost: 1 }])])
  t.match(answers, [{ unavailable: 'error' }, { granted: true }, { granted: true, standings: [{ remaining: 0 }] }])
  t.strictSame(codes, ['WRONGTYPE'])
  t.equal(await redis.type(key), 'list')
})

t.test('a text that is no conduct counts as none', async (t) => {
  const codes: string[] = []
  const store = bench.store({ keyPrefix: 'garbage:', onFailure: (code) => { codes.push(code) } })
  await take(store, charge(1))
  const key = await conductKey('garbage:')
  for (const text of ['', 'P', 'P123', 'T'.repeat(27), 'x'.repeat(1000)]) {
    await redis.set(key, text)
    t.match(await take(store, charge(0, 'user:42', 0)), { granted: true, blocks: { length: 0 } })
    t.strictSame(codes.splice(0), ['DAMAGED'])
    await take(store, charge())
    t.equal((await redis.getBuffer(key))?.length, 27, JSON.stringify(text.slice(0, 10)))
    t.ok(await redis.pttl(key) > 0)
  }
})

t.test('a text that is no conduct is dropped by a look, also if it has a TTL', async (t) => {
  const codes: string[] = []
  const store = bench.store({ keyPrefix: 'dropped:', onFailure: (code) => { codes.push(code) } })
  await take(store, charge(1))
  const key = await conductKey('dropped:')
  await redis.set(key, 'damaged', 'PX', 60_000)
  await take(store, charge(0, 'user:42', 0))
  t.strictSame(codes, ['DAMAGED'])
  t.equal(await redis.exists(key), 0)
})

t.test('a penalty and a limit of one name do not meet', async (t) => {
  const store = bench.store({ keyPrefix: 'names:' })
  const same = limitOf({ max: 1, windowUs: 100 * SECOND_US, bucket: penalty.bucket, penalty })
  for (let i = 0; i < 4; i++) await take(store, [{ limit: same, partition: 'user:42', cost: 1 }])
  t.match(await store.peek([same], 'user:42'), [{ remaining: 0, blockedUs: Number }])
  t.equal((await redis.keys('names:*')).length, 2)
})
