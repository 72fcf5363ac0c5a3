// How a request is decided: who it is, what applies, what the store says, and what happens where it says nothing.
import t from 'tap'
import { getTemporal } from '../../lib/calendar/temporal.js'
import type { Client } from '../../lib/model/client.js'
import type { Policy } from '../../lib/policies/policy.js'
import { RequestDecision } from '../../lib/request/decision.js'
import { hashToUnit } from '../../lib/request/rollout.js'
import type { Receipt } from '../../lib/stores/store.js'
import { createDecisionOf, createPolicy, createReceipt, createStanding, IP_CLIENT, USER } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { answerWith, createConcurrency, createDecider, createRequest, refuse } from './deciding.js'

const policy = createPolicy()

t.test('a request is decided at once, and knows its earlier decision', async (t) => {
  const { decider, store } = createDecider()
  const previous = createDecisionOf('exempt')
  const decision = decider.decide(policy, createRequest({ rateLimit: previous }), 0)
  t.ok(decision instanceof RequestDecision)
  t.match(decision, { outcome: 'allowed', client: IP_CLIENT, policy, previous })
  t.strictSame(store.taken, [['app/default 203.0.113.9 1']])
  store.answer = refuse
  t.match(decider.decide(policy, createRequest(), 0), { outcome: 'rejected', previous: null })
})

t.test('an answer, a client or charges that come later', async (t) => {
  const { decider, store } = createDecider()
  store.answer = async (charges) => refuse(charges)
  const later = decider.decide(policy, createRequest(), 0)
  t.ok(later instanceof Promise)
  t.match(await later, { outcome: 'rejected', client: IP_CLIENT })
  const identified = createDecider({ identifier: { identify: async () => USER, deadlineMs: 100 } })
  t.match(await identified.decider.decide(policy, createRequest(), 0), { outcome: 'allowed', client: USER })
  t.strictSame(identified.store.taken, [['app/default user:42 1']])
  const charged = createDecider()
  t.match(await charged.decider.decide(createPolicy({ cost: async () => 3 }), createRequest(), 0), { outcome: 'allowed' })
  t.strictSame(charged.store.taken, [['app/default 203.0.113.9 3']])
})

interface Exemption {
  readonly address?: boolean
  readonly request?: boolean | Promise<boolean>
}

function exempting ({ address = false, request = false }: Exemption) {
  return createDecider({
    identifier: { identify: () => USER, identifyByAddress: () => IP_CLIENT, getAddress: () => '203.0.113.9', deadlineMs: 100 },
    exemptions: { hasAddress: (given: string) => address && given.startsWith('203.'), isExemptRequest: () => request, hasUser: (id: string) => id === '7' }
  })
}

const EXEMPT: readonly Exemption[] = [{ address: true }, { request: true }, { request: Promise.resolve(true) }]
for (const [index, exemption] of EXEMPT.entries()) {
  t.test(`an exempt request is nobody's but its address's, and not charged: ${index}`, async (t) => {
    const { decider, store } = exempting(exemption)
    const previous = createDecisionOf('exempt')
    const decided = decider.decide(policy, createRequest({ rateLimit: previous }), 0)
    t.equal(decided instanceof Promise, exemption.request instanceof Promise)
    t.match(await decided, { outcome: 'exempt', client: IP_CLIENT, policy, previous })
    t.strictSame(store.taken, [])
  })
}

for (const [index, exemption] of [{}, { request: Promise.resolve(false) }].entries()) {
  t.test(`a request that is not exempt is charged: ${index}`, async (t) => {
    const { decider, store } = exempting(exemption)
    t.match(await decider.decide(policy, createRequest(), 0), { outcome: 'allowed', client: USER })
    t.equal(store.taken.length, 1)
  })
}

const premium = createPolicy({ limits: [limitOf({ bucket: 'premium' })] })
const anonymous = createPolicy({ limits: [limitOf({ bucket: 'anonymous' })] })
const tiered = createPolicy({ tiers: new Map([['premium', premium], ['internal', null], ['anonymous', anonymous]]) })

const applied: ReadonlyArray<readonly [client: Client, base: Policy, charged: string | null, why: string]> = [
  [USER, policy, 'app/default', 'a policy without tiers'],
  [USER, tiered, 'app/default', 'a tier without limits of its own'],
  [{ ...USER, tier: 'premium' }, tiered, 'premium', 'a tier with limits'],
  [{ ...USER, tier: 'internal' }, tiered, null, 'a tier that is unlimited'],
  [{ ...USER, tier: 'internal' }, policy, 'app/default', 'an unlimited tier of another policy'],
  [IP_CLIENT, tiered, 'anonymous', 'the tier of addresses'],
  [{ ...USER, id: '7' }, policy, null, 'a user who is exempt'],
  [{ ...USER, id: '7' }, tiered, null, 'an exempt user, with tiers'],
  [{ kind: 'key', id: '7', tier: 'anonymous', partition: 'key:7' }, policy, 'app/default', 'a key that is spelled like an exempt user'],
  [{ kind: 'key', id: '7', tier: 'anonymous', partition: 'key:7' }, tiered, 'anonymous', 'such a key, with tiers']
]
for (const [client, base, charged, why] of applied) {
  t.test(`which policy applies: ${why}`, async (t) => {
    const exemptions = { hasAddress: () => false, isExemptRequest: () => false, hasUser: (id: string) => id === '7' }
    const { decider, store } = createDecider({ identifier: { identify: () => client, identifyByAddress: () => IP_CLIENT, getAddress: () => '' }, exemptions })
    const decision = await decider.decide(base, createRequest(), 0)
    const early = await decider.decideEarly(base, createRequest(), client, 1)
    t.match(decision, charged === null ? { outcome: 'exempt', policy: base, client } : { outcome: 'allowed', client })
    t.equal(early === null, charged === null)
    t.strictSame(store.taken.map(([charge]) => charge.split(' ')[0]), charged === null ? [] : [charged, charged])
    if (client.kind === 'key') return
    const consumed = await decider.decideWithoutRequest(base, client, null)
    t.equal(consumed.outcome, charged === null ? 'exempt' : 'allowed')
    if (charged === null) t.match(consumed, { policy: base, client, previous: null })
  })
}

t.test('the tier of a user is made known', async (t) => {
  const unknown = { ...USER, tier: 'unknown' }
  const { decider } = createDecider({ identifier: { identify: () => unknown } })
  for (const decision of [await decider.decide(policy, createRequest(), 0), await decider.decideEarly(policy, createRequest(), unknown, 1), await decider.decideWithoutRequest(policy, unknown, null)]) {
    t.equal(decision?.client.tier, 'standard')
  }
  const address = { ...IP_CLIENT, tier: 'unknown' }
  t.equal((await createDecider({ identifier: { identify: () => address } }).decider.decide(policy, createRequest(), 0)).client, address)
  t.equal((await decider.decideEarly(policy, createRequest(), address, 1))?.client, address)
  t.equal((await decider.decideWithoutRequest(policy, address, null)).client, address)
})

t.test('a share of the clients has the enforced half of a policy', async (t) => {
  const shadow = createPolicy({ limits: [limitOf({ bucket: 'shadow', mode: 'shadow' })] })
  const share = hashToUnit('default 203.0.113.9')
  const { decider, store } = createDecider()
  for (const one of [share, share + 2 ** -32]) await decider.decide(createPolicy({ rollout: { share: one, shadow } }), createRequest(), 0)
  t.strictSame(store.taken, [['shadow 203.0.113.9 1'], ['app/default 203.0.113.9 1']])
})

const THROTTLE = { maxQueued: 10, maxQueuedPerClient: 1 }
const throttled = createPolicy({ throttle: THROTTLE, delayableLimits: [limitOf({ maxDelayUs: 9_000_000 })] })

t.test('a place is reserved before the store is asked, and kept by a request that is delayed', async (t) => {
  const { decider, store, notes } = createDecider()
  store.answer = (charges) => answerWith(charges, () => ({ delayUs: 5000, resetUs: 15_000_000 }))
  t.match(await decider.decide(throttled, createRequest(), 7000), { outcome: 'delayed', delayUs: 5000, resetAfterMs: 14_995 })
  t.strictSame(notes, [['reserve', 'default', '203.0.113.9', THROTTLE]])
})

t.test('a request that is not delayed gives its place back, granted or refused', async (t) => {
  for (const answer of [undefined, refuse, async (charges: Parameters<typeof refuse>[0]) => refuse(charges)]) {
    const { decider, store, notes } = createDecider()
    if (answer !== undefined) store.answer = answer
    t.match(await decider.decide(throttled, createRequest(), 7000), { outcome: answer === undefined ? 'allowed' : 'rejected', delayUs: 0 })
    t.strictSame(notes.map(([name]) => name), ['reserve', 'release'])
  }
})

t.test('a request is charged limits that wait only with a place, and only for as long as it may', async (t) => {
  const delays: number[] = []
  const held = async (reserve: () => unknown, maxHoldUs: number) => {
    const { decider, store } = createDecider({ delayQueue: { reserve } })
    store.answer = (charges) => {
      delays.push(charges[0].limit.maxDelayUs)
      return refuse(charges)
    }
    await decider.decide(throttled, createRequest(), maxHoldUs)
  }
  await held(() => ({ hold: () => null, release: () => {} }), 7000)
  await held(() => null, 7000)
  await held(() => { throw new Error('no place is needed') }, 0)
  t.strictSame(delays, [7000, 0, 0])
  t.match(await createDecider({ delayQueue: null }).decider.decide(policy, createRequest(), 7000), { outcome: 'allowed' }, 'a policy that does not throttle')
})

const AWAY = { unavailable: 'deadline' } as const

for (const isLate of [false, true]) {
  t.test(`local limits, where the store does not answer${isLate ? ', later' : ''}`, async (t) => {
    const { decider, store, local, notes, activity } = createDecider()
    store.answer = () => isLate ? Promise.resolve(AWAY) : AWAY
    local.answer = refuse
    const decision = await decider.decide(policy, createRequest(), 0)
    t.equal(decision.outcome, 'rejected')
    t.strictSame(local.taken, store.taken)
    t.strictSame(notes, [['fallback', 'local', 'corrected', 'deadline']])
    t.equal(activity.fallbacks, 1)
    local.answer = (charges) => answerWith(charges, () => ({}))
    await (await decider.decide(policy, createRequest(), 0)).refundAll()
    t.equal(local.calls.length, 1, 'what was counted locally is refunded there')
    t.equal(store.calls.length, 0)
  })
}

t.test('a known block holds without the store', async (t) => {
  const block: Receipt = createReceipt([createStanding(limitOf(), { granted: false })], { blocks: [{ partition: '203.0.113.9', blockedUs: 1000, began: false }] })
  const { decider, store, local } = createDecider({ findKnownBlock: () => block })
  store.answer = () => AWAY
  t.equal((await decider.decide(policy, createRequest(), 0)).outcome, 'blocked')
  t.strictSame(local.taken, [])
})

for (const failureMode of ['open', 'closed'] as const) {
  t.test(`${failureMode}: nothing is counted, and no place is kept`, async (t) => {
    const { decider, store, local, notes } = createDecider()
    store.answer = () => AWAY
    const previous = createDecisionOf('exempt')
    const decision = await decider.decide({ ...throttled, failureMode }, createRequest({ rateLimit: previous }), 7000)
    t.match(decision, { outcome: 'unavailable', client: IP_CLIENT, previous })
    t.strictSame(local.taken, [])
    t.strictSame(notes.map(([name]) => name), ['reserve', 'fallback', 'release'])
  })
}

t.test('without metrics and the page no fallback is counted', async (t) => {
  const { decider, store } = createDecider({ metrics: null, activity: null })
  store.answer = () => AWAY
  t.equal((await decider.decide(policy, createRequest(), 0)).outcome, 'allowed')
})

t.test('before the hook, a cost is taken at once or later, without a slot', async (t) => {
  const { decider, store } = createDecider()
  const slotted = createPolicy({ concurrency: createConcurrency() })
  t.match(decider.decideEarly(slotted, createRequest(), IP_CLIENT, 5), { outcome: 'allowed', client: IP_CLIENT })
  store.answer = async (charges) => refuse(charges)
  t.match(await decider.decideEarly(policy, createRequest(), USER, 0), { outcome: 'rejected', client: USER })
  const late = { resolve: async () => ({ immediate: limitOf({ bucket: 'late' }), delayable: limitOf() }) } as never
  t.match(await decider.decideEarly(createPolicy({ dynamicLimits: [late] }), createRequest(), IP_CLIENT, 2), { outcome: 'rejected' })
  t.strictSame(store.taken, [['app/default 203.0.113.9 5'], ['app/default user:42 0'], ['late 203.0.113.9 2']])
})

t.test('before the hook, a user has an address too', async (t) => {
  const { decider, store } = createDecider()
  await decider.decideEarly(createPolicy({ limits: [limitOf({ by: 'ip' })] }), createRequest(), USER, 1)
  t.strictSame(store.taken, [['app/default 203.0.113.9 1']])
})

t.test('before the hook, limits that wait are asked whether they would', async (t) => {
  const { decider, store } = createDecider()
  const delays: number[] = []
  store.answer = (charges) => {
    delays.push(charges[0].limit.maxDelayUs)
    return refuse(charges)
  }
  await decider.decideEarly(throttled, createRequest(), IP_CLIENT, 1)
  await decider.decideEarly({ ...throttled, throttle: null }, createRequest(), IP_CLIENT, 1)
  t.strictSame(delays, [9_000_000, 0])
})

t.test('before the hook, a fallback is counted if the request ends there', async (t) => {
  for (const isLate of [false, true]) {
    const { decider, store, notes } = createDecider()
    store.answer = () => isLate ? Promise.resolve(AWAY) : AWAY
    for (const failureMode of ['open', 'local', 'closed'] as const) await decider.decideEarly(createPolicy({ failureMode }), createRequest(), IP_CLIENT, 1)
    t.strictSame(notes, [['fallback', 'closed', 'corrected', 'deadline']])
  }
  const { decider, notes } = createDecider()
  await decider.decideEarly(createPolicy({ failureMode: 'closed' }), createRequest(), IP_CLIENT, 1)
  t.strictSame(notes, [])
})

t.test('a request whose address is lost is refused without the store', async (t) => {
  const unknown = { ...IP_CLIENT, id: 'unknown' }
  const { decider, store } = createDecider({ identifier: { identify: () => unknown } })
  t.match(await decider.decide(policy, createRequest({ raw: { socket: { destroyed: true } } }), 0), { outcome: 'rejected', retryAfterMs: 'never' })
  t.strictSame(store.taken, [])
})

t.test('without a request, an address may be exempt', async (t) => {
  const { decider, store } = exempting({ address: true })
  t.equal((await decider.decideWithoutRequest(policy, IP_CLIENT, '203.0.113.9')).outcome, 'exempt')
  t.equal((await decider.decideWithoutRequest(policy, IP_CLIENT, '198.51.100.1')).outcome, 'allowed')
  t.equal((await decider.decideWithoutRequest(policy, USER, null)).outcome, 'allowed')
  t.equal(store.taken.length, 2)
  t.equal((await createDecider().decider.decideWithoutRequest(policy, IP_CLIENT, '203.0.113.9')).outcome, 'allowed', 'without exemptions')
})

t.test('without a request, the library of periods is loaded before the store is asked', async (t) => {
  const { decider, store } = createDecider()
  store.answer = (charges) => {
    t.not(getTemporal(), null)
    return refuse(charges)
  }
  await decider.decideWithoutRequest(createPolicy({ hasPeriods: true }), IP_CLIENT, null)
  t.equal(store.taken.length, 1)
})

t.test('the cost before the hook is that of the policy', async (t) => {
  const { decider } = createDecider()
  t.equal(decider.resolveEarlyCost(createPolicy({ cost: () => 0 }), createRequest()), 1)
})
