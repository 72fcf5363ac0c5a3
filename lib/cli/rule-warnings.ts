import { ANONYMOUS } from '../model/client.js'
import type { RuleOptions } from '../config/schema/policy-schema.js'
import { ROUTING } from './compile-errors.js'
import { Reach } from './unreachable-rules.js'
import type { Subject } from './warning-input.js'

/** A rule that only changes another one. */
export function ruleWithoutMatch ({ options, policies, placeOf }: Subject): string[] {
  return rulesOf({ options, policies }).filter(({ isMadeInCode }) => isMadeInCode)
    .map(({ rule, index }) => `${placeOf(['rules', index, 'name'])}: the rule "${rule.name}" has no match, so the code must have made it; only what is said here was checked`)
}

/** A rule whose every request another one has first. */
export function ruleNeverApplies ({ options, policies, placeOf }: Subject): string[] {
  const known = rulesOf({ options, policies }).filter(({ isMadeInCode }) => !isMadeInCode)
  const rules = known.map(({ rule }) => rule)
  const all = new Reach(rules, ROUTING)
  // Only rules with `override` compete for a route that has limits of its own.
  const overriding = new Reach(rules.filter(({ override }) => override === true), ROUTING)
  return known.flatMap(({ rule, index }) => {
    const winners = (rule.override === true ? overriding : all).rulesBefore(rule)
    if (winners === null) return []
    return [`${placeOf(['rules', index, 'match'])}: never applies, since every request that it matches is under ${winners.map((name) => `"${name}"`).join(' or ')} first`]
  })
}

/** Only users have another tier than `anonymous`, and where nobody says who they are there are none. */
export function tierOfNobody ({ options: { identify, tiers = {}, rules = [] }, placeOf }: Subject): string[] {
  if (identify !== undefined && identify.jwt !== false) return []
  const ofRules = rules.flatMap((rule, index) => Object.keys(rule.tiers ?? {}).map((name) => ({ name, path: ['rules', index, 'tiers', name] })))
  const named = [...Object.keys(tiers).map((name) => ({ name, path: ['tiers', name] })), ...ofRules].filter(({ name }) => name !== ANONYMOUS)
  const first = new Map(named.toReversed().map(({ name, path }) => [name, path]))
  // An identify.jwt that is off here is off, whatever the code says.
  const ways = identify === undefined ? '(identify.custom or identify.jwt); neither is here' : '(identify.custom); identify.jwt is not on here'
  return Array.from(first, ([name, path]) => `${placeOf(path)}: nobody has the tier "${name}" unless the code says who its users are ${ways}`)
}

/** Words of names and patterns where somebody proves who he is: long ones as a part of any word, short ones by themselves. */
const LOGIN = /login|signin|passw(?:or)?d|(?<![a-z0-9])(?:log-in|sign-in|o?auth2?|authenticat(?:e|ion)|tokens?|t?otp|[2m]fa)(?![a-z0-9])/i

/** While Redis is away, whoever guesses passwords may guess without end. */
export function openLogin ({ options, policies, placeOf }: Subject): string[] {
  return rulesOf({ options, policies }).flatMap(({ rule, index, isMadeInCode }) => {
    const mode = rule.failureMode ?? (isMadeInCode ? undefined : options.failureMode)
    if (mode !== 'open' || !looksLikeLogin(rule, isMadeInCode)) return []
    const place = placeOf(rule.failureMode === undefined ? ['rules', index, 'name'] : ['rules', index, 'failureMode'])
    return [`${place}: failureMode "open" lets everything pass while Redis cannot answer, and "${rule.name}" looks like a login; "local" keeps its limits`]
  })
}

function looksLikeLogin ({ name, match }: RuleOptions, isMadeInCode: boolean): boolean {
  // The match of a rule that the code has made is not known.
  return [name, isMadeInCode ? '' : match].some((text) => LOGIN.test(text.replace(/([a-z0-9])([A-Z])/g, '$1-$2').replaceAll('_', '-')))
}

interface RuleAt {
  readonly rule: RuleOptions
  readonly index: number
  readonly isMadeInCode: boolean
}

function rulesOf ({ options: { rules = [] }, policies }: Pick<Subject, 'options' | 'policies'>): RuleAt[] {
  const inCode = new Set(policies.filter(({ isMadeInCode }) => isMadeInCode).map(({ rule }) => rule))
  return rules.map((rule, index) => ({ rule, index, isMadeInCode: inCode.has(rule) }))
}
