// Decisions that wait for a slot.
import t from 'tap'
import { RequestDecision } from '../../lib/request/decision.js'
import { createPolicy, IP_CLIENT } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { answerWith, createConcurrency, createDecider, createRequest, refuseSlotOnly } from './deciding.js'

const QUEUE = { maxWaiting: 5, maxWaitMs: 5000 }

t.test('a request without a slot waits for one, and is decided again', async (t) => {
  const ways: ReadonlyArray<readonly [name: string, isLate: boolean]> = [['decide', false], ['decide', true], ['decideWithoutRequest', false], ['cost', false]]
  for (const [name, isLate] of ways) {
    const concurrency = createConcurrency(QUEUE)
    const slotted = createPolicy({ concurrency, ...name === 'cost' && { cost: async () => 1 } })
    const { decider, store } = createDecider()
    store.answer = (charges) => {
      store.answer = (charges) => answerWith(charges, ({ cost }) => ({ charged: cost }))
      const refused = refuseSlotOnly(charges)
      return isLate ? Promise.resolve(refused) : refused
    }
    const waiting = name === 'decideWithoutRequest' ? decider.decideWithoutRequest(slotted, IP_CLIENT, null) : decider.decide(slotted, createRequest(), 0)
    for (let turns = 0; concurrency.usage.waiting === 0 && turns < 20; turns++) await null
    concurrency.usage.wake('203.0.113.9')
    t.match(await waiting, { outcome: 'allowed', hasSlot: true }, `${name} ${isLate ? 'later' : ''}`)
    t.equal(store.taken.length, 2)
  }
})

t.test('a request behind others waits without being charged, and is refused for the slot alone', async (t) => {
  for (const name of ['decide', 'decideWithoutRequest', 'cost']) {
    const concurrency = createConcurrency({ maxWaiting: 1, maxWaitMs: 5000 })
    const limits = [limitOf({ bucket: 'a' }), limitOf({ bucket: 'b' })]
    const slotted = createPolicy({ limits, concurrency, ...name === 'cost' && { cost: async () => 1 } })
    const place = concurrency.usage.enterLine('203.0.113.9', QUEUE)
    const { decider, store } = createDecider()
    const refused = name === 'decideWithoutRequest' ? decider.decideWithoutRequest(slotted, IP_CLIENT, null) : decider.decide(slotted, createRequest(), 0)
    t.match(await refused, { outcome: 'rejected', refusingConcurrency: concurrency, limitName: 'concurrency' })
    t.strictSame(store.taken, [['a 203.0.113.9 0', 'b 203.0.113.9 0']])
    place?.leave()
  }
})

t.test('a wait without a slot ends in the refusal that began it', async (t) => {
  const concurrency = createConcurrency({ maxWaiting: 0, maxWaitMs: 5000 })
  const { decider, store } = createDecider()
  store.answer = refuseSlotOnly
  t.match(await decider.decide(createPolicy({ concurrency }), createRequest(), 0), { outcome: 'rejected', refusingConcurrency: concurrency })
  t.equal(store.taken.length, 1)
})

t.test('without a queue a request without a slot is refused at once', async (t) => {
  const { decider, store } = createDecider()
  store.answer = refuseSlotOnly
  const decision = decider.decide(createPolicy({ concurrency: createConcurrency() }), createRequest(), 0)
  t.ok(decision instanceof RequestDecision)
})

t.test('a slot is taken with the rates', async (t) => {
  const { store, decider } = createDecider()
  await decider.decide(createPolicy({ concurrency: createConcurrency() }), createRequest(), 0)
  t.strictSame(store.taken, [['app/default 203.0.113.9 1', 'concurrency 203.0.113.9 1']])
})
