import { ANONYMOUS } from '../model/client.js'
import type { RuleOptions } from '../config/schema/policy-schema.js'
import { ROUTING } from './compile-errors.js'
import { RuleReachability } from './unreachable-rules.js'
import type { WarningInput } from './warning-input.js'

/** A rule that only changes another one. */
export function ruleWithoutMatch ({ options, policies, locate }: WarningInput): string[] {
  return listRules({ options, policies }).filter(({ isMadeInCode }) => isMadeInCode)
    .map(({ rule, index }) => `${locate(['rules', index, 'name'])}: the rule "${rule.name}" has no match, so the code must have made it; only what is said here was checked`)
}

/** A rule whose every request another one has first. */
export function ruleNeverApplies ({ options, policies, locate }: WarningInput): string[] {
  const known = listRules({ options, policies }).filter(({ isMadeInCode }) => !isMadeInCode)
  const rules = known.map(({ rule }) => rule)
  const all = new RuleReachability(rules, ROUTING)
  // Only rules with `override` compete for a route that has limits of its own.
  const overriding = new RuleReachability(rules.filter(({ override }) => override === true), ROUTING)
  return known.flatMap(({ rule, index }) => {
    const winners = (rule.override === true ? overriding : all).findPrecedingRules(rule)
    if (winners === null) return []
    return [`${locate(['rules', index, 'match'])}: never applies, since every request that it matches is under ${winners.map((name) => `"${name}"`).join(' or ')} first`]
  })
}

/** Only users have another tier than `anonymous`, and where nobody says who they are there are none. */
export function tierWithoutUsers ({ options: { identify, tiers = {}, rules = [] }, locate }: WarningInput): string[] {
  if (identify !== undefined && identify.jwt !== false) return []
  const ruleTiers = rules.flatMap((rule, index) => Object.keys(rule.tiers ?? {}).map((name) => ({ name, path: ['rules', index, 'tiers', name] })))
  const named = [...Object.keys(tiers).map((name) => ({ name, path: ['tiers', name] })), ...ruleTiers].filter(({ name }) => name !== ANONYMOUS)
  const first = new Map(named.toReversed().map(({ name, path }) => [name, path]))
  // An identify.jwt that is off here is off, whatever the code says.
  const hint = identify === undefined ? '(identify.custom or identify.jwt); neither is here' : '(identify.custom); identify.jwt is not on here'
  return Array.from(first, ([name, path]) => `${locate(path)}: nobody has the tier "${name}" unless the code says who its users are ${hint}`)
}

/** Words of names and patterns where somebody proves who he is: long ones as a part of any word, short ones by themselves. */
const LOGIN = /login|signin|passw(?:or)?d|(?<![a-z0-9])(?:log-in|sign-in|o?auth2?|authenticat(?:e|ion)|tokens?|t?otp|[2m]fa)(?![a-z0-9])/i

/** While Redis is away, whoever guesses passwords may guess without end. */
export function openLogin ({ options, policies, locate }: WarningInput): string[] {
  return listRules({ options, policies }).flatMap(({ rule, index, isMadeInCode }) => {
    const mode = rule.failureMode ?? (isMadeInCode ? undefined : options.failureMode)
    if (mode !== 'open' || !isLikelyLogin(rule, isMadeInCode)) return []
    const place = locate(rule.failureMode === undefined ? ['rules', index, 'name'] : ['rules', index, 'failureMode'])
    return [`${place}: failureMode "open" lets everything pass while Redis cannot answer, and "${rule.name}" looks like a login; "local" keeps its limits`]
  })
}

function isLikelyLogin ({ name, match }: RuleOptions, isMadeInCode: boolean): boolean {
  // The match of a rule that the code has made is not known.
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
