import { explainPlugin, explainPolicy, type ExplainedOption, type OwnConfig } from '../config/layers/explain.js'
import type { ConfigSnapshot } from '../runtime/snapshot.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { findRoute, readRouteQuery } from './find-route.js'
import type { Explain, ExplainedPolicy, RegistrationExplanation, RouteExplanation, RouteQuery } from './explanation.js'
import type { Policy } from '../policies/policy.js'
import type { Phase } from '../config/schema/policy-schema.js'
import { routingOf } from '../routing/router-options.js'
import { methodsOf, routeInWords, type Route } from '../routing/route-names.js'
import { relate, routeShape } from '../routing/route-shape.js'
import { policiesOf, type KnownRoute } from '../policies/route-table.js'
import { patternOf, type Rule } from '../routing/rule-set.js'

const NOTES = {
  unknown: 'no such route: an unknown URL is counted like this',
  notOurs: 'no such route: unknown URLs are counted by a registration at the root',
  elsewhere: 'the application has such a route, but this registration does not know it: it belongs to another one, has other constraints, or was declared before the rate limiter was loaded and not asked for since'
}

/** Explain what holds in the snapshot of the day. */
export function explainIn (snapshots: SnapshotHolder): Explain {
  function explain (): RegistrationExplanation
  function explain (route: string | RouteQuery): RouteExplanation
  function explain (route?: string | RouteQuery): RegistrationExplanation | RouteExplanation {
    return route === undefined ? explainRegistration(snapshots.current) : explainRoute(snapshots.current, readRouteQuery(route))
  }
  return explain
}

function explainRegistration (snapshot: ConfigSnapshot): RegistrationExplanation {
  const { services: { name }, layered, isEnabled, book } = snapshot
  const policies = [book.base, ...book.rules.values()].map((policy) => explainPolicyOf(snapshot, policy, policy.hook))
  return { name, isEnabled, options: explainPlugin(layered), policies }
}

function explainRoute (snapshot: ConfigSnapshot, query: RouteQuery): RouteExplanation {
  const { services: { fastify }, routes } = snapshot
  const found = findRoute(query, routes.known(), fastify)
  if (found === null) return { ...named(query, query.method), isKnown: false, ...verdictOnUnknown(snapshot, query) }
  if (found === 'elsewhere') return { ...named(query, query.method), isKnown: false, ...cannotTell(NOTES.elsewhere) }
  const { route, isEarly } = found
  return { ...named(isEarly ? { url: route.url } : route, methodsOf(route).join(',')), isKnown: true, ...verdictOn(snapshot, found, query) }
}

function named ({ url, constraints = {} }: Pick<RouteQuery, 'url' | 'constraints'>, method: string) {
  const asked = Object.entries(constraints).map(([name, value]) => [name, typeof value === 'function' ? 'a function' : String(value)])
  return { method, url, constraints: asked.length === 0 ? null : Object.fromEntries(asked) }
}

type Verdict = Pick<RouteExplanation, 'holds' | 'because' | 'policies' | 'note'>

function verdictOnUnknown (snapshot: ConfigSnapshot, { method, url }: RouteQuery): Verdict {
  const { services: { fastify }, book, routes } = snapshot
  // Each scope has the one around it for its prototype.
  if ('register' in Object.getPrototypeOf(fastify)) return cannotTell(NOTES.notOurs)
  const note = NOTES.unknown
  if (!snapshot.isEnabled) return { ...notLimited(snapshot, 'enabled'), note }
  const policy = book.policyOfUnknown({ method, url, params: {} })
  if (policy === null) return { ...notLimited(snapshot, 'global'), note }
  return { holds: 'limited', because: null, policies: [explainPolicyOf(snapshot, policy, routes.undeclaredPhase(policy))], note }
}

function verdictOn (snapshot: ConfigSnapshot, { route, policy, isEarly }: KnownRoute, query: RouteQuery): Verdict {
  const { book, routes } = snapshot
  if (!snapshot.isEnabled) return notLimited(snapshot, 'enabled')
  if (policy instanceof Error) return { holds: 'misconfigured', because: null, policies: [], note: policy.message }

  // Of the route's policies, those for this one of its methods.
  const resolution = book.rulesOf(route, query.method === 'HEAD' ? 'GET' : query.method)
  const rules = resolution.kind === 'by-request' ? resolution.rules : resolution.rule === null ? [] : [resolution.rule]
  const isAlwaysRuled = resolution.kind === 'by-request' ? areForAll(snapshot, route, rules) : rules.length > 0
  const all = policiesOf(policy)
  const unruled = isAlwaysRuled ? [] : all.filter((one) => book.ruleOf(one) === null)
  const ruled = all.filter((one) => rules.some(({ name }) => name === book.ruleOf(one)))

  const policies = [...ruled, ...unruled].map((one) => explainPolicyOf(snapshot, one, isEarly ? routes.undeclaredPhase(one) : one.hook, route))
  const otherwise = isAlwaysRuled || unruled.length > 0 ? { holds: 'limited', because: null } as const : whyUnlimited(snapshot, route)
  return { ...otherwise, ...(resolution.kind === 'by-request' && { holds: 'by request' }), policies, note: null }
}

/** Whether rules leave no path of a route without one. */
function areForAll ({ services: { fastify } }: ConfigSnapshot, { url }: Route, rules: readonly Rule[]): boolean {
  const routing = routingOf(fastify)
  const shape = routeShape(url, routing)
  return rules.some(({ match }) => relate(patternOf(match, routing, 'match'), shape) === 'always')
}

/** Why a route has no policy where no rule is for it. */
function whyUnlimited (snapshot: ConfigSnapshot, route: Route): Pick<Verdict, 'holds' | 'because'> {
  if (route.rateLimit === false) {
    return { holds: 'off', because: { option: 'rateLimit', value: false, from: 'route', place: placeOfConfig(route) } }
  }
  return snapshot.book.fallback === null ? notLimited(snapshot, 'global') : { holds: 'exempt', because: exemptionOf(snapshot) }
}

function exemptionOf ({ layered }: ConfigSnapshot): ExplainedOption {
  const given = explainPlugin(layered).find(({ option }) => option === 'exempt.routes')
  return given ?? { option: 'exempt.routes', value: 'probes, metrics and documentation', from: 'built-in', place: 'built in' }
}

/** `option`: the one of the plugin that switches limits off. */
function notLimited ({ layered }: ConfigSnapshot, option: 'enabled' | 'global'): Verdict {
  return { holds: 'off', because: explainPlugin(layered).find((one) => one.option === option) ?? null, policies: [], note: null }
}

function cannotTell (note: string): Verdict {
  return { holds: 'not known', because: null, policies: [], note }
}

/** `route`: the one whose policy it is, since its config may have a part in it. */
function explainPolicyOf ({ layered, book }: ConfigSnapshot, policy: Policy, hook: Phase, route: Route | null = null): ExplainedPolicy {
  const rule = book.ruleOf(policy)
  const own = route === null ? null : ownConfigOf(route)
  const optionsOf = (tier: string | null) => explainPolicy(layered, { rule, tier }, own) ?? []
  const tiers = Array.from(policy.tiers ?? [], ([name, tier]) => ({ name, isUnlimited: tier === null, scope: tier?.scope ?? null, options: optionsOf(name) }))
  return { name: nameOf(rule, own === null ? null : route), scope: policy.scope, hook, options: optionsOf(null), tiers }
}

function nameOf (rule: string | null, route: Route | null): string {
  if (rule !== null) return `rule:${rule}`
  return route === null ? 'default' : `route:${routeInWords(route)}`
}

function ownConfigOf (route: Route): OwnConfig | null {
  const { rateLimit } = route
  return isOptions(rateLimit) ? { options: rateLimit, place: placeOfConfig(route) } : null
}

/** What a route says was checked when its policy was made. */
function isOptions (rateLimit: unknown): rateLimit is OwnConfig['options'] {
  return typeof rateLimit === 'object' && rateLimit !== null
}

function placeOfConfig (route: Route): string {
  return `${routeInWords(route)} config.rateLimit`
}
