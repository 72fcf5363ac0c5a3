import { checkIdentityOptions } from '../config/schema/identity-schema.js'
import { parsePath } from '../config/layers/tree-paths.js'
import { relocateError, type MergedOptions } from '../config/layers/merge.js'
import { parseCidrs } from '../config/schema/network-list.js'
import type { RouteRateLimit, RuleOptions } from '../config/schema/policy-schema.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import { isLocated } from '../errors.js'
import { PolicySet } from '../policies/policy-set.js'
import { compilePolicy } from '../policies/compile.js'
import { builtInDraft, mergePolicy, type PolicyDraft } from '../policies/policy-draft.js'
import { readRouterOptions } from '../routing/router-options.js'
import { compilePattern } from '../routing/rule-set.js'
import type { Sources } from './read-sources.js'

/** Nobody has told Fastify anything else about paths. */
export const ROUTING = readRouterOptions({ initialConfig: {} })
export const REGISTRATION = 'app'
export const ROOT = 'rateLimit'

/**
 * What only shows when policies are made of the options: of the default policy and of each rule by itself, so that one
 * mistake does not hide another. Each with the place where it was written.
 */
export function findCompileErrors ({ merged, madeInCode }: Sources): Error[] {
  const { options } = merged
  const rules = [...(options.rules ?? []).entries()]
  const defaultErrors = collectErrors(policyChecks(builtInDraft, options, 'default', ROOT))
  const base = buildDefaultDraft(options)
  const ruleErrors = collectErrors(rules.flatMap(([index, rule]) => ruleChecks(base, rule, `${ROOT}.rules[${index}]`, madeInCode)))
    // A rule inherits what is wrong with the default policy, and that was told already.
    .filter((error) => defaultErrors.length === 0 || isGiven(error, merged))
  const found = [...collectErrors(pluginChecks(options)), ...defaultErrors, ...ruleErrors]
  const errors = found.length > 0 ? found : findBucketConflicts(options, madeInCode)
  const unique = new Map(errors.map((error) => [error.message, error]))
  return Array.from(unique.values(), (error) => toConfigError(relocateError(error, merged)))
}

type Check = () => unknown

/** An entry that no list of networks refuses. */
const LOCAL = 'loopback'

function pluginChecks (options: RateLimitOptions): Check[] {
  return [
    () => checkIdentityOptions(options, ROOT),
    ...(options.exempt?.routes ?? []).map((text, index) => () => compilePattern(text, ROUTING, `${ROOT}.exempt.routes[${index}]`)),
    ...networkChecks((options.health || undefined)?.allow ?? [], `${ROOT}.health.allow`),
    ...networkChecks((options.metrics || undefined)?.allow ?? [], `${ROOT}.metrics.allow`),
    ...networkChecks((options.admin || undefined)?.allow ?? [], `${ROOT}.admin.allow`)
  ]
}

/** Each entry by itself, the others left out. */
function networkChecks (list: readonly string[], place: string): Check[] {
  return list.map((_, index) => () => parseCidrs(list.map((entry, other) => other === index ? entry : LOCAL), place))
}

function ruleChecks (base: PolicyDraft, rule: RuleOptions, place: string, madeInCode: ReadonlySet<string>): Check[] {
  if (!madeInCode.has(rule.name)) {
    return [() => compilePattern(rule.match, ROUTING, `${place}.match`), ...policyChecks(base, rule, `rule:${rule.name}`, place)]
  }
  // Whether its tiers and its penalty are right, or a limit that is not given whole, is a matter of what the code says.
  const { tiers, penalty, ...alone } = rule
  const isWhole = rule.limits !== undefined || (rule.max !== undefined && rule.timeWindow !== undefined)
  return isWhole ? policyChecks(builtInDraft, alone, `rule:${rule.name}`, place) : []
}

/** A policy without tiers and with each part that can be wrong, and with each of its tiers: for compiling ends at the first mistake. */
function policyChecks (base: PolicyDraft, options: RouteRateLimit, scope: string, place: string): Check[] {
  const { tiers = {}, ...policy } = options
  // Said to be off, since what is left out is inherited.
  const off: RouteRateLimit = { penalty: false, refundOn: [], throttle: false, cost: 0 }
  const withSingleField = Object.keys(off).map((field) => ({ ...policy, ...without(off, [field]) }))
  const withTiers = Object.entries(tiers).map(([name, tier]) => ({ ...policy, ...without(off, ['throttle', 'cost']), tiers: { [name]: tier } }))
  const variants: RouteRateLimit[] = [...withSingleField, ...withTiers]
  return variants.map((variant) => () => compilePolicy(REGISTRATION, mergePolicy(base, variant, scope, place), place))
}

/** What rules are laid over. */
function buildDefaultDraft (options: RateLimitOptions): PolicyDraft {
  try {
    return mergePolicy(builtInDraft, options, 'default', ROOT)
  } catch {
    // That was told. Under a unit each microsecond, and four billion at once, no rule is wrong because of it.
    const { limits, burst, algorithm, by, tiers, ...rest } = options
    return mergePolicy(builtInDraft, { ...rest, max: 4_000_000_000, timeWindow: 4_000_000 }, 'default', ROOT)
  }
}

/** Rules that share buckets and do not agree on them: each that is at odds with those before it. */
function findBucketConflicts (options: RateLimitOptions, madeInCode: ReadonlySet<string>): Error[] {
  // Those that say nothing are left where they are, so that the others keep their places.
  const rules = (options.rules ?? []).map((rule) => madeInCode.has(rule.name) ? toEmptyRule(rule) : rule)
  const found: Error[] = []
  for (;;) {
    const [error] = collectErrors([() => new PolicySet(REGISTRATION, { ...options, rules }, ROUTING, () => {})])
    if (error === undefined) return found
    found.push(error)
    const index = isLocated(error) ? /^rateLimit\.rules\[(\d+)\]/.exec(error.place)?.[1] : undefined
    if (index === undefined) return found
    rules[Number(index)] = toEmptyRule(rules[Number(index)])
  }
}

function toEmptyRule ({ name, match }: RuleOptions): RuleOptions {
  return { name, match }
}

function without<T extends object> (options: T, keys: readonly string[]): Partial<T> {
  const rest: Partial<T> = { ...options }
  for (const key in rest) {
    if (keys.includes(key)) delete rest[key]
  }
  return rest
}

function isGiven (error: Error, { root, findOrigin }: MergedOptions): boolean {
  return !isLocated(error) || findOrigin(parsePath(root, error.place.slice(ROOT.length))) !== null
}

function collectErrors (checks: readonly Check[]): Error[] {
  return checks.flatMap((check) => {
    try {
      check()
      return []
    } catch (error) {
      return [toConfigError(error)]
    }
  })
}

/** Throws what is a fault of this program, and no mistake in a file. */
function toConfigError (error: unknown): Error {
  if (error instanceof Error && 'code' in error) return error
  throw error
}
