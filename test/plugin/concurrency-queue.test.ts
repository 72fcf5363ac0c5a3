// Requests that wait for a slot: `concurrency.queue`, over HTTP with the memory store.
import t from 'tap'
import { bodyOf, codesOf, createSlotApp } from '../fixtures/slots.js'
import { until } from '../fixtures/until.js'
import { waitTurns } from '../throttle/throttled-app.js'

const PATIENT = { max: 1, queue: { maxWaiting: 2, maxWait: '1 minute' } }

t.test('a request waits for a slot, first come, first served, and a full line refuses', async (t) => {
  const { send, finish } = await createSlotApp(t, { concurrency: PATIENT })
  const pending = [await send(), await send(), await send(), await send()]
  t.strictSame(codesOf(pending), [null, null, null, 429])
  t.match(bodyOf(pending[3].answer), { 'violated-policies': ['concurrency'], limit: 1, remaining: 0 })
  await finish()
  t.strictSame(codesOf(pending), [200, null, null, 429])
  await finish()
  t.strictSame(codesOf(pending), [200, 200, null, 429])
  await finish()
  t.strictSame(codesOf(pending), [200, 200, 200, 429])
})

t.test('while it waits, no rate is charged; another partition waits for nothing', async (t) => {
  const { app, send, finish } = await createSlotApp(t, { max: 10, timeWindow: 60_000, concurrency: PATIENT })
  const pending = [await send(), await send(), await send({ remoteAddress: '203.0.113.9' })]
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 9 }])
  await finish()
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 8 }])
  await finish(2)
  t.strictSame(codesOf(pending), [200, 200, 200])
})

t.test('a rate that refuses at its turn refuses the request, and the next one gets the slot', async (t) => {
  const { send, finish, clock } = await createSlotApp(t, { max: 1, timeWindow: 1000, cost: ({ headers }) => Number(headers.cost ?? 1), concurrency: { ...PATIENT, by: 'global' } })
  const one = { headers: { cost: '1' } }
  const first = await send(one)
  const [second, third] = [await send({ ...one, remoteAddress: '203.0.113.9' }), await send({ headers: { cost: '0' } })]
  t.strictSame(codesOf([first, second, third]), [null, null, null])
  await send({ url: '/', remoteAddress: '203.0.113.9', headers: { cost: '0' } })
  clock.advance(1)
  await finish()
  t.strictSame(codesOf([first, second, third]), [200, null, null])
  await finish()
  await finish()
  t.strictSame(codesOf([first, second, third]), [200, 200, 200])
})

t.test('a wait that is too long ends in a refusal', async (t) => {
  const { send } = await createSlotApp(t, { concurrency: { max: 1, queue: { maxWait: 30 } } })
  const pending = [await send(), await send()]
  await until('the refusal', 5000, () => codesOf(pending)[1] !== null)
  t.strictSame(codesOf(pending), [null, 429])
  t.match(pending[1].answer?.headers['retry-after'], /^\d+$/)
})

t.test('a client that leaves gives its place in the line to the next', async (t) => {
  const { send, finish } = await createSlotApp(t, { concurrency: { max: 1, queue: { maxWaiting: 2, maxWait: '1 minute' } } })
  const [first, second, third] = [await send(), await send(), await send()]
  t.strictSame(codesOf([await send()]), [429], 'the line is full')
  await second.abort()
  const fourth = await send()
  t.strictSame(codesOf([fourth]), [null])
  await finish()
  await finish()
  t.strictSame(codesOf([first, third, fourth]), [200, 200, null])
  await finish()
  t.strictSame(codesOf([fourth]), [200])
})

t.test('a check waits too', async (t) => {
  const { app } = await createSlotApp(t, {})
  const options = { groupId: 'jobs', concurrency: PATIENT }
  const first = await app.rateLimit.consume('user:1', options)
  const second = app.rateLimit.consume('user:1', options)
  const third = app.rateLimit.consume('user:1', options)
  t.match(await app.rateLimit.consume('user:1', options), { isRefused: true })
  await first?.release()
  t.match(await second, { isRefused: false })
  await (await second)?.release()
  t.match(await third, { isRefused: false })
})

t.test('the application closes: who waits is refused', async (t) => {
  const { app, send, finish } = await createSlotApp(t, { concurrency: PATIENT })
  const pending = [await send(), await send()]
  const closed = app.close()
  await waitTurns()
  t.strictSame(codesOf(pending), [null, 429])
  await finish()
  await closed
  t.strictSame(codesOf(pending), [200, 429])
})

t.test('a queue beside a throttle is refused', async (t) => {
  await t.rejects(createSlotApp(t, { throttle: {}, concurrency: PATIENT }), { code: 'FST_SLUICE_CONTRADICTION', message: /rateLimit\.concurrency\.queue/ })
})
