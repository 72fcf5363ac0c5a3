import { explainPolicy, listPolicies, type ExplainedOption, type OwnConfig, type PolicyName } from '../config/layers/explain.js'
import { isRecord } from '../common/type-guards.js'
import { writeLine } from '../common/log.js'
import { warnings } from '../errors.js'
import { hasBucketFields } from '../config/schema/policy-fields.js'
import { listPolicies as listRoutePolicies } from '../policies/route-table.js'
import type { Policy } from '../policies/policy.js'
import { readRouterOptions } from '../routing/router-options.js'
import { formatRoute } from '../routing/route-names.js'
import type { WarningPolicy } from '../warnings/warning-input.js'
import { findWarnings, type Warning } from '../warnings/warnings.js'
import { GUARD_PLACE, type ConfigSnapshot } from './snapshot.js'

/** Process warnings of one code: an application may have thousands of routes with one mistake. */
const MAX_PER_CODE = 10

/**
 * Warn of options that are valid but probably wrong, in all layers, routes and guards. Call it when the routes are known.
 * A long window without a short one is common and often right, so it is a line of the log at level info.
 */
export function warnAboutOptions (snapshot: ConfigSnapshot): void {
  const { options, locate } = snapshot.merged
  const { fastify } = snapshot.services
  const routing = readRouterOptions(fastify)
  const policies = [...listSharedPolicies(snapshot), ...listRouteOwnPolicies(snapshot), ...listGuardPolicies(snapshot)]
  warnAboutClient(policies)
  warnAboutLocalSlots(snapshot, policies)
  const counts = new Map<string, number>()
  for (const { text, code } of [...findWarnings({ options, routing, locate, policies }), ...findOverruledRules(snapshot)]) {
    const count = (counts.get(code) ?? 0) + 1
    counts.set(code, count)
    if (count > MAX_PER_CODE) continue
    if (code === warnings.longWindowAlone) writeLine(fastify.log, 'info', { code }, text)
    else process.emitWarning(text, { code })
  }
}

/** Rules for a single path whose routes all have limits of their own, which take precedence. */
function findOverruledRules ({ merged: { options, locate }, routes, policySet }: ConfigSnapshot): Warning[] {
  const winners = new Map<string, string>()
  const applied = new Set<string | null>()
  for (const { route, policy } of routes.known()) {
    if (policy instanceof Error) continue
    for (const one of listRoutePolicies(policy)) applied.add(policySet.findRuleName(one))
    const rule = isRecord(route.rateLimit) && hasBucketFields(route.rateLimit) ? policySet.findRuleBelow(route) : null
    if (rule !== null && rule.override !== true && !rule.match.endsWith('*')) winners.set(rule.name, formatRoute(route))
  }
  return (options.rules ?? []).flatMap(({ name }, index) => {
    const winner = winners.get(name)
    if (winner === undefined || applied.has(name)) return []
    const text = `does not apply to ${winner}, which has limits of its own; set override = true to replace them`
    return [{ text: `${locate(['rules', index, 'match'])}: ${text}`, code: warnings.ruleNeverApplies }]
  })
}

/** A report of spent units that Redis executes twice would free units twice, so the limits of such a client are not leased. */
function warnAboutClient (policies: readonly WarningPolicy[]): void {
  if (!policies.some(({ policy }) => policy?.unleased.includes('client-resends'))) return
  process.emitWarning(
    'the client of rateLimit.redis may send a call twice, so no limit is leased; ' +
    'create it with limiterClientOptions(), and a Cluster also with retryDelayOnFailover: 0',
    { code: warnings.clientResends }
  )
}

/** With a store that counts no requests in flight, each process has slots of its own: the limit is that of one process. */
function warnAboutLocalSlots ({ merged: { options: { store } } }: ConfigSnapshot, policies: readonly WarningPolicy[]): void {
  if (store === undefined || store.countsInFlight === true) return
  // The slots of an adaptive limit are always those of one process.
  if (!policies.some(({ policy }) => policy?.concurrency != null && policy.concurrency.limit.room == null)) return
  process.emitWarning(
    `the store "${store.kind}" does not count requests in flight, so the limits of "concurrency" are counted in each process by itself; ` +
    'a store that counts them has countsInFlight: true',
    { code: warnings.localSlots }
  )
}

function listSharedPolicies ({ merged, policySet }: ConfigSnapshot): WarningPolicy[] {
  return listPolicies(merged).map((name) => {
    const policy = name.rule === null ? policySet.base : policySet.rules.get(name.rule) ?? null
    const rule = merged.options.rules?.find((one) => one.name === name.rule) ?? null
    return {
      rule,
      tier: name.tier,
      policy: selectTier(policy, name.tier),
      isMadeInCode: false,
      get options () { return explain(merged, name) }
    }
  })
}

/** The policies of routes with limits of their own. */
function listRouteOwnPolicies (snapshot: ConfigSnapshot): WarningPolicy[] {
  const { routes, policySet } = snapshot
  return [...routes.known()].flatMap(({ route, policy: routePolicy }) => {
    const { rateLimit } = route
    if (routePolicy instanceof Error || !isRecord(rateLimit) || !hasBucketFields(rateLimit)) return []
    const own = { options: rateLimit, place: `${formatRoute(route)} config.rateLimit` }
    return listRoutePolicies(routePolicy)
      .filter((policy) => policySet.findRuleName(policy) === null)
      .flatMap((policy) => createOwnPolicies(snapshot, policy, own))
  })
}

function listGuardPolicies (snapshot: ConfigSnapshot): WarningPolicy[] {
  return [...snapshot.services.guards.all()].filter(hasBucketFields).flatMap((options) => {
    return createOwnPolicies(snapshot, snapshot.policyFor(options, GUARD_PLACE), { options, place: GUARD_PLACE })
  })
}

function createOwnPolicies ({ merged }: ConfigSnapshot, policy: Policy, own: OwnConfig): WarningPolicy[] {
  return [null, ...policy.tiers?.keys() ?? []].map((tier) => ({
    rule: null,
    tier,
    policy: selectTier(policy, tier),
    isMadeInCode: false,
    get options () { return explain(merged, { rule: null, tier }, own) }
  }))
}

function selectTier (policy: Policy | null, tier: string | null): Policy | null {
  return tier === null ? policy : policy?.tiers?.get(tier) ?? null
}

function explain (merged: ConfigSnapshot['merged'], name: PolicyName, own: OwnConfig | null = null): readonly ExplainedOption[] {
  return explainPolicy(merged, name, own) ?? []
}
