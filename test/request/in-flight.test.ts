// Units that requests before their hook will take, and whether a limit has them.
import t from 'tap'
import type { Policy } from '../../lib/policies/policy.js'
import { RequestDecision } from '../../lib/request/decision.js'
import { findSureStandings, InFlight, isExhausted } from '../../lib/request/in-flight.js'
import { CorrectedStore, createPolicy, createReceipt, createStanding, IP_CLIENT, USER } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const [A, B] = ['a', 'b'].map((bucket) => limitOf({ bucket }))
const policy = createPolicy({ limits: [A, B], costs: [2, 3] })
const standings = [createStanding(A), createStanding(B)]

t.test('units in flight add up by bucket, until their requests are over', async (t) => {
  const inFlight = new InFlight()
  const units = () => standings.map((standing) => inFlight.get(standing))
  t.strictSame(units(), [0, 0])
  inFlight.add(standings, policy)
  inFlight.add([standings[1]], policy)
  t.strictSame(units(), [2, 6])
  t.equal(inFlight.get(createStanding(A, { partition: 'other' })), 0)
  inFlight.remove(standings, policy)
  t.strictSame(units(), [0, 3])
  inFlight.remove([standings[1]], policy)
  t.strictSame(units(), [0, 0])
})

t.test('buckets without requests take no memory', async (t) => {
  const inFlight = new InFlight()
  const free = createPolicy({ cost: 0 })
  // A map that was deleted from is asked no more: an empty one answers without a key.
  const asked: string[] = []
  const watched = { limit: A, get partition () { asked.push('partition'); return 'one' } } as unknown as typeof standings[0]
  inFlight.add([createStanding(A)], free)
  t.equal(inFlight.get(watched), 0)
  inFlight.add(standings, policy)
  inFlight.remove(standings, policy)
  t.equal(inFlight.get(watched), 0)
  t.strictSame(asked, [])
})

const by = (['client', 'ip', 'user', 'global'] as const).map((by) => createStanding(limitOf({ bucket: by, by })))

function sureOf (client: typeof IP_CLIENT, fields: Partial<Policy>, hasUsers: boolean): string[] {
  const decision = new RequestDecision(createPolicy(fields), client, createReceipt(by), new CorrectedStore(), null)
  return findSureStandings(decision, hasUsers).map(({ limit }) => limit.by)
}

t.test('where a key or a user may be found, only the limits of addresses and of all are sure', async (t) => {
  const all = ['client', 'ip', 'user', 'global']
  t.strictSame(sureOf(IP_CLIENT, {}, false), all)
  t.strictSame(sureOf(USER, {}, true), all)
  t.strictSame(sureOf(USER, { keyGenerator: () => 'key' }, true), all)
  t.strictSame(sureOf(IP_CLIENT, {}, true), ['ip', 'global'])
  t.strictSame(sureOf(IP_CLIENT, { keyGenerator: () => 'key' }, false), ['ip', 'global'])
})

t.test('a limit is exhausted without the units, or if it refuses', async (t) => {
  t.equal(isExhausted(createStanding(A, { remaining: 2 }), 2), false)
  t.equal(isExhausted(createStanding(A, { remaining: 1 }), 2), true)
  t.equal(isExhausted(createStanding(A, { granted: false, remaining: 5 }), 0), true)
  t.equal(isExhausted(createStanding(limitOf({ mode: 'shadow' }), { granted: false, remaining: 0 }), 2), false)
})

t.test('a limit that holds requests is exhausted if the units would be due too late', async (t) => {
  // One unit a second, ten at once, and a wait of at most two seconds.
  const limit = limitOf({ maxDelayUs: 2_000_000 })
  t.equal(isExhausted(createStanding(limit, { remaining: 0, resetUs: 11_000_000 }), 1), false)
  t.equal(isExhausted(createStanding(limit, { remaining: 0, resetUs: 11_000_001 }), 1), true)
  t.equal(isExhausted(createStanding(limit, { remaining: 0, resetUs: 11_000_000 }), 2), true)
  t.equal(isExhausted(createStanding(limit, { granted: false, remaining: 0, resetUs: 0 }), 1), true, 'it refuses')
})
