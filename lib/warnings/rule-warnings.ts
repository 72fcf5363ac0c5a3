import { METHODS } from 'node:http'
import { ANONYMOUS } from '../model/client.js'
import type { RuleOptions } from '../config/schema/policy-schema.js'
import { RuleReachability } from './unreachable-rules.js'
import type { WarningInput } from './warning-input.js'

/** A rule without `match`, which can only change a rule that is defined in code. */
export function ruleWithoutMatch ({ options, policies, locate }: WarningInput): string[] {
  return listRules({ options, policies }).filter(({ isMadeInCode }) => isMadeInCode)
    .map(({ rule: { name }, index }) => {
      const place = locate(['rules', index, 'name'])
      return `${place}: the rule "${name}" has no match, so it must be defined in code; only the options set here were checked`
    })
}

/** A rule that never applies: its methods do not exist, or other rules match all its requests first. */
export function ruleNeverApplies ({ options, policies, routing, locate }: WarningInput): string[] {
  const known = listRules({ options, policies }).filter(({ isMadeInCode }) => !isMadeInCode)
  const rules = known.map(({ rule }) => rule)
  const all = new RuleReachability(rules, routing)
  // Only rules with `override` compete for a route that has limits of its own.
  const overriding = new RuleReachability(rules.filter(({ override }) => override === true), routing)
  return known.flatMap(({ rule, index }) => {
    // Node.js answers a request with another method itself.
    if (rule.methods?.every((method) => !METHODS.includes(method.toUpperCase())) === true) {
      return [`${locate(['rules', index, 'methods'])}: never applies, because ${rule.methods.join(' and ')} cannot be a request's method`]
    }
    const winners = (rule.override === true ? overriding : all).findPrecedingRules(rule)
    if (winners === null) return []
    const names = winners.map((name) => `"${name}"`).join(' or ')
    return [`${locate(['rules', index, 'match'])}: never applies, because every request that it matches is matched by ${names} first`]
  })
}

/** A tier other than `anonymous` where users are not identified: only users have such a tier. */
export function tierWithoutUsers ({ options: { identify, tiers = {}, rules = [] }, locate }: WarningInput): string[] {
  if (identify !== undefined && (identify.jwt !== false || identify.custom !== undefined)) return []
  const ownTiers = Object.keys(tiers).map((name) => ({ name, path: ['tiers', name] }))
  const ruleTiers = rules.flatMap((rule, index) => {
    return Object.keys(rule.tiers ?? {}).map((name) => ({ name, path: ['rules', index, 'tiers', name] }))
  })
  const named = [...ownTiers, ...ruleTiers].filter(({ name }) => name !== ANONYMOUS)
  const first = new Map(named.toReversed().map(({ name, path }) => [name, path]))
  // `identify.jwt = false` overrides the code, so only `identify.custom` is left.
  const hint = identify === undefined
    ? '(identify.custom or identify.jwt); neither is set here'
    : '(identify.custom); identify.jwt is not enabled here'
  return Array.from(first, ([name, path]) => `${locate(path)}: no client has the tier "${name}" unless the code identifies users ${hint}`)
}

/** Words for authentication in names and patterns. Long words match inside other words, short ones only on their own. */
const LOGIN = /login|signin|passw(?:or)?d|(?<![a-z0-9])(?:log-in|sign-in|o?auth2?|authenticat(?:e|ion)|tokens?|t?otp|[2m]fa)(?![a-z0-9])/i

/** A login rule with failureMode "open": while Redis is unavailable, passwords can be guessed without limit. */
export function openLogin ({ options, policies, locate }: WarningInput): string[] {
  return listRules({ options, policies }).flatMap(({ rule, index, isMadeInCode }) => {
    const mode = rule.failureMode ?? (isMadeInCode ? undefined : options.failureMode)
    if (mode !== 'open' || !isLikelyLogin(rule, isMadeInCode)) return []
    const place = locate(rule.failureMode === undefined ? ['rules', index, 'name'] : ['rules', index, 'failureMode'])
    const problem = `failureMode "open" allows every request while Redis cannot answer, and "${rule.name}" looks like a login`
    return [`${place}: ${problem}; "local" keeps its limits`]
  })
}

function isLikelyLogin ({ name, match }: RuleOptions, isMadeInCode: boolean): boolean {
  // The match of a rule that is defined in code is not known.
  return [name, isMadeInCode ? '' : match].some((text) => LOGIN.test(text.replace(/([a-z0-9])([A-Z])/g, '$1-$2').replaceAll('_', '-')))
}

interface IndexedRule {
  readonly rule: RuleOptions
  readonly index: number
  readonly isMadeInCode: boolean
}

function listRules ({ options: { rules = [] }, policies }: Pick<WarningInput, 'options' | 'policies'>): IndexedRule[] {
  const inCode = new Set(policies.filter(({ isMadeInCode }) => isMadeInCode).map(({ rule }) => rule))
  return rules.map((rule, index) => ({ rule, index, isMadeInCode: inCode.has(rule) }))
}
