// How checks travel: how many calls they make, and what one of them can do to the others.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { isUnavailable, type Answer, type Charge, type Receipt } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { until } from '../../fixtures/until.js'
import { openBench } from './open-store.js'

const bench = await openBench(t, 'own')
const { redis } = bench
const together = bench.store({ keyPrefix: 'together:' })
const limit = limitOf({ max: 3, windowUs: 600 * SECOND_US })

function chargeOf (partition: string, cost = 1): Charge[] {
  return [{ limit, partition, cost }]
}

function isGranted (answer: Answer): boolean {
  return !isUnavailable(answer) && answer.granted
}

/** Script calls that the server has answered: `EVALSHA` of known scripts, and `EVAL`. */
async function scriptCalls (): Promise<{ bySha: number, byText: number }> {
  const stats = await redis.info('commandstats')
  const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  return { bySha: calls('evalsha'), byText: calls('eval') }
}

t.test('checks of one turn travel together, 16 a call', async (t) => {
  await together.take(chargeOf('user:0'))
  const before = await scriptCalls()
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => together.take(chargeOf(`user:${i % 8}`))))
  t.equal((await scriptCalls()).bySha - before.bySha, 3, '16, 16, and the rest')
  const perUser = [0, 1, 2, 3, 4, 5, 6, 7].map((user) => answers.filter((answer, i) => i % 8 === user && isGranted(answer)).length)
  t.strictSame(perUser, [2, 3, 3, 3, 3, 3, 3, 3], 'in their order, on what those before left')
})

t.test('slots travel with the rates of their checks, and are given back together', async (t) => {
  const slots = { ...limitOf({ bucket: 'app/slots' }), ...createQuota('concurrency', 8, 600 * SECOND_US) }
  const other = limitOf({ max: 3, bucket: 'app/other' })
  const chargesOf = (partition: string): Charge[] => [other, slots].map((one) => ({ limit: one, partition, cost: 1 }))
  const before = await scriptCalls()
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => together.take(chargesOf(`user:${i % 8}`))))
  t.equal((await scriptCalls()).bySha - before.bySha, 3, 'as many calls as without slots')

  const granted = answers.filter((answer): answer is Receipt => isGranted(answer))
  t.equal(granted.length, 24)
  const keys = await redis.keys('together:*')
  t.equal(keys.length, 24, 'of two rates and of the slots of each user')
  for (const { atUs, standings: [, standing] } of granted) together.adjust([{ standing, atUs, units: -1 }])
  await until('Redis counts no slots', 5000, async () => (await redis.keys('together:*')).length === 16)
  // Slots that were refused are reported too, by themselves if the calls take long.
  t.ok((await scriptCalls()).bySha - before.bySha <= 5, 'one call gives all of them back')
})

t.test('a check of the next turn travels with those of this one', async (t) => {
  const store = bench.store({ keyPrefix: 'turns:' })
  await store.take(chargeOf('user:0'))
  const before = await scriptCalls()
  const first = store.take(chargeOf('user:1'))
  await new Promise(setImmediate)
  await Promise.all([first, store.take(chargeOf('user:2'))])
  t.equal((await scriptCalls()).bySha - before.bySha, 1)
})

t.test('but after a long turn they leave at once: the next may be as long', async (t) => {
  const store = bench.store({ keyPrefix: 'long-turn:' })
  await store.take(chargeOf('user:0'))
  const before = await scriptCalls()
  const first = store.take(chargeOf('user:1'))
  const endMs = performance.now() + 3
  while (performance.now() < endMs);
  await new Promise(setImmediate)
  await Promise.all([first, store.take(chargeOf('user:2'))])
  t.equal((await scriptCalls()).bySha - before.bySha, 2)
})

t.test('a call that would hold Redis leaves with fewer checks', async (t) => {
  const store = bench.store({ keyPrefix: 'weight:' })
  const sliding = ALGORITHMS.flatMap(() => [0, 1, 2, 3, 4, 5, 6, 7]).map((_, i) => limitOf({ algorithm: 'sliding-window', bucket: `app/${i}` }))
  const before = await scriptCalls()
  await Promise.all([1, 2, 3, 4, 5, 6].map((user) => store.take(sliding.map((one) => ({ limit: one, partition: `user:${user}`, cost: 1 })))))
  t.equal((await scriptCalls()).bySha - before.bySha, 3, 'two checks of 24 sliding windows a call')
})

t.test('a key of another type fails its own check and no other', async (t) => {
  const codes: string[] = []
  const store = bench.store({ keyPrefix: 'foreign:', onFailure: (code) => { codes.push(code) } })
  await store.take(chargeOf('user:spoilt'))
  const [key] = await redis.keys('foreign:*')
  await redis.del(key)
  await redis.lpush(key, 'a list')
  const other = limitOf({ bucket: 'app/other' })
  const answers = await Promise.all([
    store.take(chargeOf('user:1')),
    store.take(chargeOf('user:spoilt')),
    store.take([{ limit: other, partition: 'user:spoilt', cost: 1 }, ...chargeOf('user:spoilt')]),
    store.take([{ limit: other, partition: 'user:spoilt', cost: 1 }]),
    store.take(chargeOf('user:2'))
  ])
  t.strictSame(answers.map(isGranted), [true, false, false, true, true])
  t.strictSame([answers[1], answers[2]], [{ unavailable: 'error' }, { unavailable: 'error' }])
  t.match(answers[3], { standings: [{ remaining: 9 }] }, 'what shared a check with it was not charged')
  t.strictSame(codes, ['WRONGTYPE'])
  t.equal(await redis.type(key), 'list', 'and what is not ours is left alone')
  t.equal(await store.reset([limit], 'user:spoilt'), 0)
  t.ok(isGranted(await store.take(chargeOf('user:spoilt'))), 'until an operator resets it')
})

t.test('a text that is no bucket counts as none', async (t) => {
  const codes: string[] = []
  const store = bench.store({ keyPrefix: 'garbage:', onFailure: (code) => { codes.push(code) } })
  await store.take(chargeOf('user:42'))
  const [key] = await redis.keys('garbage:*')
  for (const text of ['', 'T', 'T123', 'F', 'S\0\0', 'V', 'V\0\0\0\0\x01\xff\xff', '17', 'x'.repeat(1000)]) {
    await redis.set(key, text)
    const answers = await Promise.all([store.take(chargeOf('user:42')), store.take(chargeOf('user:43', 0))])
    t.strictSame(answers.map(isGranted), [true, true], JSON.stringify(text.slice(0, 10)))
    t.ok(await redis.pttl(key) > 0)
    t.strictSame(codes.splice(0), ['DAMAGED'])
  }
})

t.test('a flush of the scripts costs no request', async (t) => {
  const store = bench.store({ keyPrefix: 'noscript:' })
  const { atUs, standings: [standing] } = await store.take(chargeOf('user:42', 2)) as Exclude<Answer, { unavailable: unknown }>
  for (let i = 0; i < 3; i++) {
    await redis.script('FLUSH')
    const answers = await Promise.all(Array.from({ length: 40 }, (_, user) => store.take(chargeOf(`user:${i}-${user}`))))
    t.ok(answers.every(isGranted))
  }
  await redis.script('FLUSH')
  await store.adjust([{ standing, atUs, units: -1 }])
  t.match(await store.peek([limit], 'user:42'), [{ remaining: 2 }])
  await redis.script('FLUSH')
  t.equal(await store.reset([limit], 'user:42'), 1)
  await store.take(chargeOf('user:42'))
  const before = await scriptCalls()
  await store.take(chargeOf('user:42'))
  t.equal((await scriptCalls()).byText, before.byText, 'and afterwards the hash is known again')
})

t.test('a flush of all keys gives every client a new bucket, and nothing else', async (t) => {
  const store = bench.store({ keyPrefix: 'flushall:' })
  await store.take(chargeOf('user:42', 3))
  t.equal(isGranted(await store.take(chargeOf('user:42'))), false)
  await redis.flushall()
  t.equal(isGranted(await store.take(chargeOf('user:42', 3))), true)
  t.equal(isGranted(await store.take(chargeOf('user:42'))), false)
  t.equal(await redis.dbsize(), 1)
})

t.test('checks in flight past maxPending are not sent', async (t) => {
  const store = bench.store({ keyPrefix: 'pending:', maxPending: 20 })
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => store.take(chargeOf(`user:${round}-${i}`))))
    t.strictSame(answers.map(isGranted), answers.map((_, i) => i < 20))
    t.strictSame(answers[29], { unavailable: 'overload' })
  }
})
