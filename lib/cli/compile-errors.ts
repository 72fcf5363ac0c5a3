import { checkIdentityOptions } from '../config/schema/identity-schema.js'
import { pathIn } from '../config/layers/tree-paths.js'
import { located, type Layered } from '../config/layers/merge.js'
import { cidrsOf } from '../config/schema/network-list.js'
import type { RouteRateLimit, RuleOptions } from '../config/schema/policy-schema.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import { isPlaced } from '../errors.js'
import { PolicyBook } from '../policies/policy-set.js'
import { compilePolicy } from '../policies/compile.js'
import { builtInDraft, layPolicy, type PolicyDraft } from '../policies/draft.js'
import { routingOf } from '../routing/router-options.js'
import { patternOf } from '../routing/rule-set.js'
import type { Sources } from './read-sources.js'

/** Nobody has told Fastify anything else about paths. */
export const ROUTING = routingOf({ initialConfig: {} })
export const REGISTRATION = 'app'
export const ROOT = 'rateLimit'

/**
 * What only shows when policies are made of the options: of the default policy and of each rule by itself, so that one
 * mistake does not hide another. Each with the place where it was written.
 */
export function compileMistakes ({ layered, madeInCode }: Sources): Error[] {
  const { options } = layered
  const rules = [...(options.rules ?? []).entries()]
  const ofDefault = thrownBy(policyChecks(builtInDraft, options, 'default', ROOT))
  const below = draftOf(options)
  const ofRules = thrownBy(rules.flatMap(([index, rule]) => ruleChecks(below, rule, `${ROOT}.rules[${index}]`, madeInCode)))
    // A rule inherits what is wrong with the default policy, and that was told already.
    .filter((error) => ofDefault.length === 0 || isGiven(error, layered))
  const found = [...thrownBy(pluginChecks(options)), ...ofDefault, ...ofRules]
  const mistakes = found.length > 0 ? found : disagreements(options, madeInCode)
  const unique = new Map(mistakes.map((mistake) => [mistake.message, mistake]))
  return Array.from(unique.values(), (mistake) => errorOf(located(mistake, layered)))
}

type Check = () => unknown

/** An entry that no list of networks refuses. */
const LOCAL = 'loopback'

function pluginChecks (options: RateLimitOptions): Check[] {
  return [
    () => checkIdentityOptions(options, ROOT),
    ...(options.exempt?.routes ?? []).map((text, index) => () => patternOf(text, ROUTING, `${ROOT}.exempt.routes[${index}]`)),
    ...networkChecks((options.health || undefined)?.allow ?? [], `${ROOT}.health.allow`),
    ...networkChecks((options.metrics || undefined)?.allow ?? [], `${ROOT}.metrics.allow`),
    ...networkChecks((options.admin || undefined)?.allow ?? [], `${ROOT}.admin.allow`)
  ]
}

/** Each entry by itself, the others left out. */
function networkChecks (list: readonly string[], place: string): Check[] {
  return list.map((_, index) => () => cidrsOf(list.map((entry, other) => other === index ? entry : LOCAL), place))
}

function ruleChecks (below: PolicyDraft, rule: RuleOptions, place: string, madeInCode: ReadonlySet<string>): Check[] {
  if (!madeInCode.has(rule.name)) {
    return [() => patternOf(rule.match, ROUTING, `${place}.match`), ...policyChecks(below, rule, `rule:${rule.name}`, place)]
  }
  // Whether its tiers and its penalty are right, or a limit that is not given whole, is a matter of what the code says.
  const { tiers, penalty, ...alone } = rule
  const isWhole = rule.limits !== undefined || (rule.max !== undefined && rule.timeWindow !== undefined)
  return isWhole ? policyChecks(builtInDraft, alone, `rule:${rule.name}`, place) : []
}

/** A policy without tiers and with each part that can be wrong, and with each of its tiers: for compiling ends at the first mistake. */
function policyChecks (below: PolicyDraft, options: RouteRateLimit, scope: string, place: string): Check[] {
  const { tiers = {}, ...policy } = options
  // Said to be off, since what is left out is inherited.
  const off: RouteRateLimit = { penalty: false, refundOn: [], throttle: false, cost: 0 }
  const parts = Object.keys(off).map((part) => ({ ...policy, ...without(off, [part]) }))
  const withTiers = Object.entries(tiers).map(([name, tier]) => ({ ...policy, ...without(off, ['throttle', 'cost']), tiers: { [name]: tier } }))
  const variants: RouteRateLimit[] = [...parts, ...withTiers]
  return variants.map((variant) => () => compilePolicy(REGISTRATION, layPolicy(below, variant, scope, place), place))
}

/** What rules are laid over. */
function draftOf (options: RateLimitOptions): PolicyDraft {
  try {
    return layPolicy(builtInDraft, options, 'default', ROOT)
  } catch {
    // That was told. Under a unit each microsecond, and four billion at once, no rule is wrong because of it.
    const { limits, burst, algorithm, by, tiers, ...rest } = options
    return layPolicy(builtInDraft, { ...rest, max: 4_000_000_000, timeWindow: 4_000_000 }, 'default', ROOT)
  }
}

/** Rules that share buckets and do not agree on them: each that is at odds with those before it. */
function disagreements (options: RateLimitOptions, madeInCode: ReadonlySet<string>): Error[] {
  // Those that say nothing are left where they are, so that the others keep their places.
  const rules = (options.rules ?? []).map((rule) => madeInCode.has(rule.name) ? silent(rule) : rule)
  const found: Error[] = []
  for (;;) {
    const [error] = thrownBy([() => new PolicyBook(REGISTRATION, { ...options, rules }, ROUTING, () => {})])
    if (error === undefined) return found
    found.push(error)
    const index = isPlaced(error) ? /^rateLimit\.rules\[(\d+)\]/.exec(error.place)?.[1] : undefined
    if (index === undefined) return found
    rules[Number(index)] = silent(rules[Number(index)])
  }
}

function silent ({ name, match }: RuleOptions): RuleOptions {
  return { name, match }
}

function without<T extends object> (options: T, keys: readonly string[]): Partial<T> {
  const left: Partial<T> = { ...options }
  for (const key in left) {
    if (keys.includes(key)) delete left[key]
  }
  return left
}

function isGiven (error: Error, { root, originOf }: Layered): boolean {
  return !isPlaced(error) || originOf(pathIn(root, error.place.slice(ROOT.length))) !== null
}

function thrownBy (checks: readonly Check[]): Error[] {
  return checks.flatMap((check) => {
    try {
      check()
      return []
    } catch (error) {
      return [errorOf(error)]
    }
  })
}

/** Throws what is a fault of this program, and no mistake in a file. */
function errorOf (error: unknown): Error {
  if (error instanceof Error && 'code' in error) return error
  throw error
}
