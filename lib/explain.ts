import { explainPlugin, explainPolicy, type ExplainedOption, type OwnConfig } from './config/layer-explain.js'
import type { Edition } from './edition.js'
import type { Editions } from './editions.js'
import { findRoute, readRouteQuery } from './explain-route.js'
import type { Explain, ExplainedPolicy, RegistrationExplanation, RouteExplanation, RouteQuery } from './explanation.js'
import type { Phase, Policy } from './policies/policy.js'
import { routingOf } from './policies/request-path.js'
import { methodsOf, routeInWords, type Route } from './policies/route-names.js'
import { relate, routeShape } from './policies/route-shape.js'
import { policiesOf, type KnownRoute } from './policies/route-table.js'
import { patternOf, type Rule } from './policies/rule-set.js'

const NOTES = {
  unknown: 'no such route: an unknown URL is counted like this',
  notOurs: 'no such route: unknown URLs are counted by a registration at the root',
  elsewhere: 'the application has such a route, but this registration does not know it: it belongs to another one, has other constraints, or was declared before the rate limiter was loaded and not asked for since'
}

/** Explain what holds in the edition of the day. */
export function explainIn (editions: Editions): Explain {
  function explain (): RegistrationExplanation
  function explain (route: string | RouteQuery): RouteExplanation
  function explain (route?: string | RouteQuery): RegistrationExplanation | RouteExplanation {
    return route === undefined ? explainRegistration(editions.current) : explainRoute(editions.current, readRouteQuery(route))
  }
  return explain
}

function explainRegistration (edition: Edition): RegistrationExplanation {
  const { fixtures: { name }, layered, isEnabled, book } = edition
  const policies = [book.base, ...book.rules.values()].map((policy) => explainPolicyOf(edition, policy, policy.hook))
  return { name, isEnabled, options: explainPlugin(layered), policies }
}

function explainRoute (edition: Edition, query: RouteQuery): RouteExplanation {
  const { fixtures: { fastify }, routes } = edition
  const found = findRoute(query, routes.known(), fastify)
  if (found === null) return { ...named(query, query.method), isKnown: false, ...verdictOnUnknown(edition, query) }
  if (found === 'elsewhere') return { ...named(query, query.method), isKnown: false, ...cannotTell(NOTES.elsewhere) }
  const { route, isEarly } = found
  return { ...named(isEarly ? { url: route.url } : route, methodsOf(route).join(',')), isKnown: true, ...verdictOn(edition, found, query) }
}

function named ({ url, constraints = {} }: Pick<RouteQuery, 'url' | 'constraints'>, method: string) {
  const asked = Object.entries(constraints).map(([name, value]) => [name, typeof value === 'function' ? 'a function' : String(value)])
  return { method, url, constraints: asked.length === 0 ? null : Object.fromEntries(asked) }
}

type Verdict = Pick<RouteExplanation, 'holds' | 'because' | 'policies' | 'note'>

function verdictOnUnknown (edition: Edition, { method, url }: RouteQuery): Verdict {
  const { fixtures: { fastify }, book, routes } = edition
  // Each scope has the one around it for its prototype.
  if ('register' in Object.getPrototypeOf(fastify)) return cannotTell(NOTES.notOurs)
  const note = NOTES.unknown
  if (!edition.isEnabled) return { ...notLimited(edition, 'enabled'), note }
  const policy = book.policyOfUnknown({ method, url, params: {} })
  if (policy === null) return { ...notLimited(edition, 'global'), note }
  return { holds: 'limited', because: null, policies: [explainPolicyOf(edition, policy, routes.undeclaredPhase(policy))], note }
}

function verdictOn (edition: Edition, { route, policy, isEarly }: KnownRoute, query: RouteQuery): Verdict {
  const { book, routes } = edition
  if (!edition.isEnabled) return notLimited(edition, 'enabled')
  if (policy instanceof Error) return { holds: 'misconfigured', because: null, policies: [], note: policy.message }

  // Of the route's policies, those for this one of its methods.
  const resolution = book.rulesOf(route, query.method === 'HEAD' ? 'GET' : query.method)
  const rules = resolution.kind === 'by-request' ? resolution.rules : resolution.rule === null ? [] : [resolution.rule]
  const isAlwaysRuled = resolution.kind === 'by-request' ? areForAll(edition, route, rules) : rules.length > 0
  const all = policiesOf(policy)
  const unruled = isAlwaysRuled ? [] : all.filter((one) => book.ruleOf(one) === null)
  const ruled = all.filter((one) => rules.some(({ name }) => name === book.ruleOf(one)))

  const policies = [...ruled, ...unruled].map((one) => explainPolicyOf(edition, one, isEarly ? routes.undeclaredPhase(one) : one.hook, route))
  const otherwise = isAlwaysRuled || unruled.length > 0 ? { holds: 'limited', because: null } as const : whyUnlimited(edition, route)
  return { ...otherwise, ...(resolution.kind === 'by-request' && { holds: 'by request' }), policies, note: null }
}

/** Whether rules leave no path of a route without one. */
function areForAll ({ fixtures: { fastify } }: Edition, { url }: Route, rules: readonly Rule[]): boolean {
  const routing = routingOf(fastify)
  const shape = routeShape(url, routing)
  return rules.some(({ match }) => relate(patternOf(match, routing, 'match'), shape) === 'always')
}

/** Why a route has no policy where no rule is for it. */
function whyUnlimited (edition: Edition, route: Route): Pick<Verdict, 'holds' | 'because'> {
  if (route.rateLimit === false) {
    return { holds: 'off', because: { option: 'rateLimit', value: false, from: 'route', place: placeOfConfig(route) } }
  }
  return edition.book.fallback === null ? notLimited(edition, 'global') : { holds: 'exempt', because: exemptionOf(edition) }
}

function exemptionOf ({ layered }: Edition): ExplainedOption {
  const given = explainPlugin(layered).find(({ option }) => option === 'exempt.routes')
  return given ?? { option: 'exempt.routes', value: 'probes, metrics and documentation', from: 'built-in', place: 'built in' }
}

/** `option`: the one of the plugin that switches limits off. */
function notLimited ({ layered }: Edition, option: 'enabled' | 'global'): Verdict {
  return { holds: 'off', because: explainPlugin(layered).find((one) => one.option === option) ?? null, policies: [], note: null }
}

function cannotTell (note: string): Verdict {
  return { holds: 'not known', because: null, policies: [], note }
}

/** `route`: the one whose policy it is, since its config may have a part in it. */
function explainPolicyOf ({ layered, book }: Edition, policy: Policy, hook: Phase, route: Route | null = null): ExplainedPolicy {
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
