// A reply of Redis that a proxy cut or garbled threw in a promise handler: an unhandled rejection, and checks without an answer.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { systemClock } from '../../lib/common/clock.js'
import { CallGuard } from '../../lib/resilience/call-guard.js'
import { Batch } from '../../lib/stores/redis/batch.js'
import { connect } from '../../lib/stores/redis/connect.js'
import { InFlightCounts } from '../../lib/stores/memory/in-flight-counts.js'
import { RedisStore } from '../../lib/stores/redis/redis-store.js'
import { ANSWER_BYTES, TIME_BYTES, writeNumber } from '../../lib/stores/redis/wire-format.js'
import type { Answer, Charge } from '../../lib/stores/store.js'
import { limitOf, penaltyWith } from '../fixtures/limits.js'
import { assertProperty, assertPropertyAsync } from '../fixtures/property.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { startProxy, type TcpProxy } from '../fixtures/tcp-proxy.js'
import { until } from '../fixtures/until.js'
import { createHeldSlots } from '../fixtures/held-slots.js'

const penalty = penaltyWith({ strikes: 1, cooldownUs: 1_000_000_000 })
const plain = limitOf({ max: 5 })
const anything = limitOf({ max: 5, bucket: 'app/anything', maxDelayUs: 1_000_000_000, penalty })
const delayed = limitOf({ max: 5, bucket: 'app/delayed', maxDelayUs: 1_000_000_000 })
const sliding = limitOf({ max: 2, bucket: 'app/sliding', algorithm: 'sliding-window', penalty })
const fixed = limitOf({ max: 2, bucket: 'app/fixed', algorithm: 'fixed-window', mode: 'shadow' })

// Each flag of a standing, with as many numbers as follow it.
const STATES = [[0, 3], [1, 3], [3, 3], [4, 3], [11, 4], [16, 4], [48, 4]] as const

/** Checks of one to three charges, and a good reply to them. */
const batches = fc.array(fc.array(fc.constantFrom(...STATES), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 })

function createBatch (states: ReadonlyArray<ReadonlyArray<typeof STATES[number]>>): { batch: Batch, answers: Array<Promise<Answer>>, reply: Buffer } {
  const batch = new Batch(createHeldSlots())
  const answers = states.map((check) => batch.add(check.map(() => ({ limit: anything, partition: 'user:1', cost: 1 })), true))
  const reply = Buffer.alloc(TIME_BYTES + states.flat().length * (ANSWER_BYTES + 7))
  let at = writeNumber(reply, 1_790_000_000_000_001, 0)
  for (const [state, numbers] of states.flat()) {
    at = reply.writeUInt8(state, at)
    for (let i = 0; i < numbers; i++) at = writeNumber(reply, i + 1, at)
  }
  return { batch, answers, reply: reply.subarray(0, at) }
}

t.test('a batch accepts a good reply, and no part of it, nor more than it', async () => {
  assertProperty(batches, 400, (states) => {
    const { batch, reply } = createBatch(states)
    if (!batch.accepts(reply)) throw new Error('a good reply')
    for (let length = 0; length < reply.length; length++) {
      if (batch.accepts(reply.subarray(0, length))) throw new Error(`${length} bytes of it`)
    }
    if (batch.accepts(Buffer.concat([reply, Buffer.alloc(ANSWER_BYTES)]))) throw new Error('more than it')
  })
})

t.test('whatever bytes a batch accepts, it completes every check with numbers in their range', async () => {
  const examples = fc.tuple(batches, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }), fc.uint8Array({ maxLength: 150 }))
  let accepted = 0
  await assertPropertyAsync(examples, 4000, async ([states, changes, bytes]) => {
    const { batch, answers, reply } = createBatch(states)
    for (const [at, byte] of changes) reply[at % reply.length] = byte
    if (batch.accepts(Buffer.from(bytes))) throw new Error('bytes at random')
    if (!batch.accepts(reply)) return
    accepted++
    batch.complete(reply)
    for (const answer of await Promise.all(answers)) {
      if ('unavailable' in answer) continue
      for (const { remaining, resetUs, delayUs, retryUs, blockedUs } of answer.standings) {
        const numbers = [answer.atUs, remaining, resetUs, delayUs, blockedUs, retryUs === 'never' ? 0 : retryUs]
        if (remaining > anything.capacity || !numbers.every(Number.isSafeInteger)) throw new Error(`${numbers.join(' ')}`)
      }
    }
  })
  t.ok(accepted > 0)
})

t.test('an expired batch has a good reply whose charges nobody waits for', async (t) => {
  const { batch, reply } = createBatch([[STATES[0]]])
  batch.fail('deadline')
  t.equal(batch.accepts(reply), true)
  batch.complete(reply)
  t.equal(batch.accepts(Buffer.alloc(3)), false)
})

/** A reply of the protocol, of any shape. */
const { value: values } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 },
    fc.constantFrom('$-1\r\n', '*-1\r\n', '_\r\n', '#t\r\n', ',1.5\r\n', '(123\r\n', '+OK\r\n', '-ERR no\r\n', '-READONLY no\r\n', '-CROSSSLOT no\r\n', '*0\r\n', '$0\r\n\r\n'),
    fc.integer().map((number) => `:${number}\r\n`),
    fc.string({ maxLength: 60 }).map((text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`),
    fc.string({ maxLength: 60 }).map((text) => `*2\r\n$${Buffer.byteLength(text)}\r\n${text}\r\n$0\r\n\r\n`),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => `*${items.length}\r\n${items.join('')}`)
  )
}))

/** What a proxy makes of a chunk of replies. */
const spoilers: fc.Arbitrary<(reply: Buffer) => Buffer> = fc.oneof(
  fc.nat().map((at) => (reply: Buffer) => reply.subarray(0, at % reply.length)),
  fc.nat().map((at) => (reply: Buffer) => reply.subarray(at % reply.length)),
  fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => (reply: Buffer) => {
    for (const [at, byte] of changes) reply[at % reply.length] = byte
    return reply
  }),
  // The right form with a wrong length: the two texts of `take.lua`.
  fc.nat(200).map((length) => () => Buffer.from(`*2\r\n$${length}\r\n${'\0'.repeat(length)}\r\n$0\r\n\r\n`)),
  values.map((value) => () => Buffer.from(value)),
  // More replies than calls.
  fc.constantFrom('+OK\r\n', ':1\r\n', '*0\r\n', '-ERR no\r\n').map((value) => (reply: Buffer) => Buffer.concat([reply, Buffer.from(value)])),
  fc.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes) => () => Buffer.from(bytes))
)

const NEVER_OPENS = { failures: 1_000_000, withinMs: 10_000, openForMs: 1000 }

/** A store on one connection through the proxy. It ends with the test. */
async function connectStore (t: Test, { url }: { readonly url: string }, deadlineMs: number): Promise<{ store: RedisStore, codes: string[] }> {
  const codes: string[] = []
  let onReady = () => {}
  const isReady = new Promise<void>((resolve) => { onReady = resolve })
  const store = new RedisStore({
    inFlight: new InFlightCounts(),
    pool: connect(url, { connections: 1, deadlineMs, clock: systemClock }, { onReady () { onReady(); store.resume() } }),
    callGuard: new CallGuard(deadlineMs, NEVER_OPENS, systemClock, () => {}),
    keyPrefix: 'short-reply:',
    maxPending: 1000,
    onFailure: (_reason, code) => { codes.push(code) },
    clock: systemClock,
    onAnswer: () => {},
    // So that the bytes of the replies are the same in every run.
    timeUs: () => 1_790_000_000_000_000
  })
  t.teardown(() => store.close())
  await isReady
  return { store, codes }
}

async function startSpoiler (t: Test): Promise<TcpProxy & { url: string }> {
  const url = new URL((await shareRedis()).url)
  const proxy = await startProxy(t, Number(url.port))
  return { ...proxy, url: proxy.url + url.pathname }
}

function charge (limit: Charge['limit'], cost = 1): Charge {
  return { limit, partition: 'user:1', cost }
}

/** Every operation of a store, at once. Each has an answer, or an error of the store. */
async function runAll (store: RedisStore): Promise<void> {
  const { standings: [standing] } = { standings: [{ ...charge(plain), charged: 1, granted: true, remaining: 1, resetUs: 1, delayUs: 0, retryUs: 0, blockedUs: 0 }] }
  const isOwn = (error: { code?: string }) => { if (error.code !== 'FST_SLUICE_STORE') throw error }
  await Promise.all([
    store.take([charge(plain)]),
    store.take([charge(plain), charge(sliding), charge(fixed)]),
    store.take([charge(delayed, 5)]),
    store.take([charge(sliding, 2)]),
    store.adjust([{ standing, atUs: 1_790_000_000_000_000, units: -1 }]),
    Promise.resolve(store.reset([sliding], 'user:1')).catch(isOwn),
    Promise.resolve(store.peek([plain, sliding], 'user:1')).catch(isOwn)
  ])
}

t.test('every call through a proxy that spoils replies has an answer, and the process lives on', async (t) => {
  const proxy = await startSpoiler(t)
  const all: string[] = []
  await assertPropertyAsync(fc.array(spoilers, { minLength: 1, maxLength: 4 }), 120, async (spoil) => {
    const { store, codes } = await connectStore(t, proxy, 60)
    let next = 0
    proxy.faults.spoilReply = (reply, request) => /EVAL/.test(request.toString('latin1')) ? spoil[next++ % spoil.length](Buffer.from(reply)) : reply
    await runAll(store)
    await runAll(store)
    proxy.faults.spoilReply = null
    all.push(...codes)
    await store.close()
  })
  t.ok(all.includes('BAD_REPLY'), 'some were spoilt in their form only')
})

t.test('a reply of a wrong form fails its checks as an error, and the next ones are answered', async (t) => {
  const proxy = await startSpoiler(t)
  const { store, codes } = await connectStore(t, proxy, 5000)
  await store.take([charge(plain)])
  for (const text of ['*2\r\n$3\r\nabc\r\n$0\r\n\r\n', '$-1\r\n', ':1\r\n', `*2\r\n$29\r\n${'\xff'.repeat(29)}\r\n$0\r\n\r\n`]) {
    proxy.faults.spoilReply = () => {
      proxy.faults.spoilReply = null
      return Buffer.from(text, 'latin1')
    }
    t.strictSame(await Promise.all([store.take([charge(plain)]), store.take([charge(sliding)])]), [{ unavailable: 'error' }, { unavailable: 'error' }])
    await until('the store decides', 20_000, async () => !('unavailable' in await store.take([charge(plain)])))
  }
  t.strictSame([...new Set(codes)].filter((code) => code !== 'CONNECTION'), ['BAD_REPLY'])
})

for (const extra of ['+OK\r\n', '-ERR x\r\n', '*0\r\n', ':5\r\n']) {
  t.test(`a reply that no call asked for harms no call: ${JSON.stringify(extra)}`, async (t) => {
    const proxy = await startSpoiler(t)
    const { store } = await connectStore(t, proxy, 200)
    await store.take([charge(plain, 0)])
    proxy.faults.spoilReply = (reply) => {
      proxy.faults.spoilReply = null
      return Buffer.concat([reply, Buffer.from(extra)])
    }
    await store.take([charge(plain)])
    await until('the store decides', 20_000, async () => !('unavailable' in await store.take([charge(plain)])))
  })
}
