// What clients see of a request that several policies have decided.
import t from 'tap'
import type { Policy } from '../../lib/policies/policy.js'
import { combineDecisions } from '../../lib/request/combine.js'
import type { RequestDecision } from '../../lib/request/decision.js'
import type { Standing } from '../../lib/stores/store.js'
import { createDecisionOf, createPolicy, createReceipt, createStanding } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

function standing (bucket: string, fields: Partial<Standing> = {}, limit: Partial<Standing['limit']> = {}): Standing {
  return createStanding({ ...limitOf({ bucket }), name: 'default', ...limit }, fields)
}

function decide (standings: Standing[], previous: RequestDecision | null = null, fields: Partial<Policy> = {}): RequestDecision {
  return createDecisionOf(createReceipt(standings), { previous, policy: createPolicy(fields) })
}

const namesOf = ({ standings }: { readonly standings: ReadonlyArray<{ readonly name: string }> }) => standings.map(({ name }) => name)

t.test('the standings of all decisions, the oldest first, and the numbers of the limit that binds', async (t) => {
  const first = decide([standing('a', { remaining: 2, resetUs: 8_000_000 }, { name: 'first' })])
  const last = decide([standing('b', {}, { name: 'last', max: 5, capacity: 20 })], first)
  const { policy, all, last: described } = combineDecisions(last)
  t.strictSame(policy, { isEnforced: true, policyField: null })
  t.match(all, { outcome: 'allowed', retryAfterMs: 0, limitName: '', limit: 10, remaining: 2, resetAfterMs: 8000 })
  t.strictSame(namesOf(all), ['first', 'last'])
  t.match(described, { outcome: 'allowed', limitName: 'last', limit: 20, remaining: 9, resetAfterMs: 1000, retryAfterMs: 0 })
  t.strictSame(namesOf(described), ['last'])
})

t.test('of two that bind alike, the later one has the numbers', async (t) => {
  const first = decide([standing('a', { resetUs: 5_000_000 })])
  t.equal(combineDecisions(decide([standing('b')], first)).all.resetAfterMs, 1000)
})

t.test('a refusal is that of the last decision', async (t) => {
  const first = decide([standing('a', { remaining: 0 })])
  const last = decide([standing('b', { granted: false, remaining: 0, retryUs: 2_000_000, resetUs: 3_000_000 })], first)
  t.match(combineDecisions(last).all, { outcome: 'rejected', retryAfterMs: 2000, remaining: 0, resetAfterMs: 3000 })
})

t.test('decisions without a receipt, or without an enforced limit, have no standings', async (t) => {
  const first = decide([standing('a', { remaining: 3 })])
  const shadow = decide([standing('b', { remaining: 0 }, { mode: 'shadow' })], first, { isEnforced: false })
  const last = createDecisionOf('exempt', { previous: shadow })
  const { policy, all, last: described } = combineDecisions(last)
  t.match(all, { outcome: 'exempt', remaining: 3 })
  t.strictSame(namesOf(all), ['default'])
  t.equal(policy.isEnforced, true)
  t.match(described, { outcome: 'exempt', limitName: '', limit: 0 })
  const uncounted = combineDecisions(createDecisionOf('exempt', { previous: createDecisionOf('exempt') }))
  t.equal(uncounted.policy.isEnforced, false)
  t.strictSame(uncounted.last.standings, [])
})

t.test('limits in shadow mode keep their name, and are not among all', async (t) => {
  const first = decide([standing('a'), standing('b', {}, { mode: 'shadow' })])
  const { all, last } = combineDecisions(decide([standing('c', {}, { mode: 'shadow' }), standing('d')], first, { scope: 'group:search' }))
  t.strictSame(namesOf(all), ['default', 'search-default'])
  t.strictSame(namesOf(last), ['default', 'search-default'])
})

t.test('a bucket that two policies share is one limit, as it is last', async (t) => {
  const first = decide([standing('a', { remaining: 9 }), standing('b', { remaining: 8 }, { name: 'burst' })])
  const { all } = combineDecisions(decide([standing('a', { remaining: 7 }, { name: 'other' })], first))
  t.strictSame(all.standings.map(({ name, remaining }) => [name, remaining]), [['default', 7], ['burst', 8]])
})

const names: ReadonlyArray<readonly [scopes: string[], names: string[], why: string]> = [
  [['default', 'group:search'], ['default', 'search-default'], 'a group'],
  [['default', 'rule:reports'], ['default', 'reports-default'], 'a rule'],
  [['default', 'route:GET /login'], ['default', 'default-2'], 'a route has no name of its own'],
  [['default', 'a', 'b'], ['default', 'default-2', 'default-3'], 'each number once'],
  [['default', 'group:search', 'rule:search'], ['default', 'search-default', 'default-2'], 'a group and a rule of one name'],
  [['default', 'group:say "a"'], ['default', 'default-2'], 'a name that a header cannot hold'],
  [['default', 'group:é'], ['default', 'default-2'], 'a name beyond ASCII'],
  [['default', 'group:a\nb'], ['default', 'default-2'], 'a name of two lines'],
  [['default', 'group:back\\slash'], ['default', 'default-2'], 'a name with an escape'],
  [['default', 'my group:search'], ['default', 'default-2'], 'a scope that only contains a group'],
  [['default', 'group:'], ['default', 'default-2'], 'a group without a name'],
  [['default', 'group:a b!~'], ['default', 'a b!~-default'], 'any other name']
]
for (const [scopes, expected, why] of names) {
  t.test(`names of ${scopes.join(', ')}: ${why}`, async (t) => {
    const last = scopes.reduce<RequestDecision | null>((previous, scope) => decide([standing(scope)], previous, { scope }), null)
    t.ok(last)
    if (last !== null) t.strictSame(namesOf(combineDecisions(last).all), expected)
  })
}

t.test('the last decision is described by the name that its limit has among all', async (t) => {
  const first = decide([standing('a')])
  const { last } = combineDecisions(decide([standing('b', {}, { name: 'wide' }), standing('c', { remaining: 1 })], first, { scope: 'group:search' }))
  t.equal(last.limitName, 'search-default')
  t.strictSame(namesOf(last), ['wide', 'search-default'])
})
