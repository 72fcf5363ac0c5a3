import { isRecord } from '../common/type-guards.js'
import { explainPlugin, explainPolicy, type ExplainedOption, type OwnConfig } from '../config/layers/explain.js'
import type { ConfigSnapshot, SnapshotHolder } from '../runtime/snapshot.js'
import { findRoute, parseRouteQuery } from './find-route.js'
import type { Explain, ExplainedLease, ExplainedPolicy, RegistrationExplanation, RouteExplanation, RouteQuery } from './explanation.js'
import type { Policy } from '../policies/policy.js'
import { canLease } from '../stores/store.js'
import type { Phase } from '../config/schema/policy-schema.js'
import { isRootScope, readRouterOptions } from '../routing/router-options.js'
import { normalizeMethods, formatRoute, type Route } from '../routing/route-names.js'
import { relate, parseRouteShape } from '../routing/route-shape.js'
import { listPolicies, type KnownRoute } from '../policies/route-table.js'
import { compilePattern, type Rule } from '../routing/rule-set.js'

const NOTES = {
  unknown: 'this route does not exist; requests to unknown URLs are counted like this',
  answered: 'this is no route; the rate limiter answers it by default, uncounted, to clients that may read it',
  notOurs: 'this route does not exist; a registration at the root counts requests to unknown URLs',
  elsewhere: 'the application has this route, but this registration does not know it: the route belongs to another registration, ' +
    'has other constraints, or was declared before the rate limiter was loaded and has had no request yet'
}

/** Create `fastify.rateLimit.explain`. It explains the current snapshot. */
export function createExplain (snapshots: SnapshotHolder): Explain {
  function explain (): RegistrationExplanation
  function explain (route: string | RouteQuery): RouteExplanation
  function explain (route?: string | RouteQuery): RegistrationExplanation | RouteExplanation {
    return route === undefined ? explainRegistration(snapshots.current) : explainRoute(snapshots.current, parseRouteQuery(route))
  }
  return explain
}

function explainRegistration (snapshot: ConfigSnapshot): RegistrationExplanation {
  const { services: { name }, merged, isEnabled, policySet } = snapshot
  const policies = [policySet.base, ...policySet.rules.values()].map((policy) => explainRoutePolicy(snapshot, policy, policy.hook))
  return { name, isEnabled, options: explainPlugin(merged), policies }
}

function explainRoute (snapshot: ConfigSnapshot, query: RouteQuery): RouteExplanation {
  const { services: { fastify }, routes } = snapshot
  const found = findRoute(query, routes.known(), fastify)
  if (found === null) return { ...describeTarget(query, query.method), isKnown: false, ...explainUnknownUrl(snapshot, query) }
  if (found === 'elsewhere') return { ...describeTarget(query, query.method), isKnown: false, ...createUnknownStatus(NOTES.elsewhere) }
  const { route, isDeclaredBeforePlugin } = found
  const target = describeTarget(isDeclaredBeforePlugin ? { url: route.url } : route, normalizeMethods(route).join(','))
  return { ...target, isKnown: true, ...explainKnownRoute(snapshot, found, query) }
}

function describeTarget ({ url, constraints = {} }: Pick<RouteQuery, 'url' | 'constraints'>, method: string) {
  const formatted = Object.entries(constraints).map(([name, value]) => [name, typeof value === 'function' ? 'a function' : String(value)])
  return { method, url, constraints: formatted.length === 0 ? null : Object.fromEntries(formatted) }
}

type RouteStatus = Pick<RouteExplanation, 'state' | 'reason' | 'policies' | 'note'>

function explainUnknownUrl (snapshot: ConfigSnapshot, { method, url }: RouteQuery): RouteStatus {
  const { services, policySet, routes } = snapshot
  if (services.routes.answered.has(method, url)) return { state: 'off', reason: null, policies: [], note: NOTES.answered }
  if (!isRootScope(services.fastify)) return createUnknownStatus(NOTES.notOurs)
  const note = NOTES.unknown
  if (!snapshot.isEnabled) return { ...createOffStatus(snapshot, 'enabled'), note }
  const policy = policySet.findPolicyForUnknown({ method, url, params: {} })
  if (policy === null) return { ...createOffStatus(snapshot, 'global'), note }
  return { state: 'limited', reason: null, policies: [explainRoutePolicy(snapshot, policy, routes.undeclaredPhase(policy))], note }
}

function explainKnownRoute (snapshot: ConfigSnapshot, known: KnownRoute, query: RouteQuery): RouteStatus {
  const { route, policy, isDeclaredBeforePlugin } = known
  const { policySet, routes } = snapshot
  if (!snapshot.isEnabled) return createOffStatus(snapshot, 'enabled')
  if (policy instanceof Error) return { state: 'misconfigured', reason: null, policies: [], note: policy.message }

  // Select the policies for the method of the query.
  const resolution = policySet.resolveRules(route, query.method === 'HEAD' ? 'GET' : query.method)
  const rules = resolution.kind === 'by-request' ? resolution.rules : resolution.rule === null ? [] : [resolution.rule]
  const isAlwaysRuled = resolution.kind === 'by-request' ? isEveryPathRuled(snapshot, route, rules) : rules.length > 0
  const all = listPolicies(policy)
  const unruled = isAlwaysRuled ? [] : all.filter((one) => policySet.findRuleName(one) === null)
  const ruled = all.filter((one) => rules.some(({ name }) => name === policySet.findRuleName(one)))

  const policies = [...ruled, ...unruled].map((one) => {
    return explainRoutePolicy(snapshot, one, isDeclaredBeforePlugin ? routes.undeclaredPhase(one) : one.hook, route)
  })
  const isLimited = isAlwaysRuled || unruled.length > 0
  const fallbackStatus = isLimited ? { state: 'limited', reason: null } as const : explainUnlimited(snapshot, route)
  return { ...fallbackStatus, ...(resolution.kind === 'by-request' && { state: 'by request' }), policies, note: null }
}

/** Whether every path of a route has a rule. */
function isEveryPathRuled ({ services: { fastify } }: ConfigSnapshot, { url }: Route, rules: readonly Rule[]): boolean {
  const routerOptions = readRouterOptions(fastify)
  const shape = parseRouteShape(url, routerOptions)
  return rules.some(({ match }) => relate(compilePattern(match, routerOptions, 'match'), shape) === 'always')
}

/** Why a route has no policy if no rule applies. */
function explainUnlimited (snapshot: ConfigSnapshot, route: Route): Pick<RouteStatus, 'state' | 'reason'> {
  if (route.rateLimit === false) {
    return { state: 'off', reason: { option: 'rateLimit', value: false, from: 'route', place: formatConfigPlace(route) } }
  }
  if (snapshot.policySet.defaultPolicy === null) return createOffStatus(snapshot, 'global')
  return { state: 'exempt', reason: explainExemption(snapshot) }
}

function explainExemption ({ merged }: ConfigSnapshot): ExplainedOption {
  const given = explainPlugin(merged).find(({ option }) => option === 'exempt.routes')
  return given ?? { option: 'exempt.routes', value: 'probes, metrics and documentation', from: 'built-in', place: 'built in' }
}

/** `option`: the option of the plugin that disables limits. */
function createOffStatus ({ merged }: ConfigSnapshot, option: 'enabled' | 'global'): RouteStatus {
  return { state: 'off', reason: explainPlugin(merged).find((one) => one.option === option) ?? null, policies: [], note: null }
}

function createUnknownStatus (note: string): RouteStatus {
  return { state: 'not known', reason: null, policies: [], note }
}

/** `route`: the route that has the policy; its config may contribute options. */
function explainRoutePolicy (
  { merged, policySet }: ConfigSnapshot, policy: Policy, hook: Phase, route: Route | null = null
): ExplainedPolicy {
  const rule = policySet.findRuleName(policy)
  const own = route === null ? null : readOwnConfig(route)
  const explainOptions = (tier: string | null) => explainPolicy(merged, { rule, tier }, own) ?? []
  const tiers = Array.from(policy.tiers ?? [], ([name, tier]) => {
    return { name, isUnlimited: tier === null, scope: tier?.scope ?? null, options: explainOptions(name), leases: explainLeases(tier) }
  })
  const name = formatPolicyName(rule, own === null ? null : route)
  return { name, scope: policy.scope, hook, options: explainOptions(null), leases: explainLeases(policy), tiers }
}

/** `policy`: `null` without limits. */
function explainLeases (policy: Policy | null): ExplainedLease[] {
  return policy?.limits.map((limit, index) => {
    return { limit: limit.name, isLeased: canLease(limit), reason: policy.unleased[index] }
  }) ?? []
}

function formatPolicyName (rule: string | null, route: Route | null): string {
  if (rule !== null) return `rule:${rule}`
  return route === null ? 'default' : `route:${formatRoute(route)}`
}

function readOwnConfig (route: Route): OwnConfig | null {
  const { rateLimit } = route
  // The options were validated when the policy was compiled.
  return isRecord(rateLimit) ? { options: rateLimit, place: formatConfigPlace(route) } : null
}

function formatConfigPlace (route: Route): string {
  return `${formatRoute(route)} config.rateLimit`
}
