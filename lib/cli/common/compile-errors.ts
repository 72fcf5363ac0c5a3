import { checkIdentityOptions } from '../../config/schema/identity-schema.js'
import { parsePath } from '../../config/layers/tree-paths.js'
import { relocateError, type MergedOptions } from '../../config/layers/merge.js'
import { parseCidrs } from '../../config/schema/network-list.js'
import type { RouteRateLimit, RuleOptions } from '../../config/schema/policy-schema.js'
import type { RateLimitOptions } from '../../config/schema/options-schema.js'
import { isLocated } from '../../errors.js'
import { PolicySet } from '../../policies/policy-set.js'
import { compilePolicy } from '../../policies/compile.js'
import { builtInDraft, mergePolicy, type PolicyDraft } from '../../policies/policy-draft.js'
import { readRouterOptions } from '../../routing/router-options.js'
import { compilePattern } from '../../routing/rule-set.js'
import type { Sources } from './read-sources.js'

/** Fastify's default router options; those of the application are not known here. */
export const ROUTING = readRouterOptions({ initialConfig: {} })
export const REGISTRATION = 'app'
export const ROOT = 'rateLimit'

/**
 * Errors that appear only when the policies are compiled. The default policy and each rule are compiled separately, so
 * that one error does not hide another. Each error has the place where the option was written.
 */
export function findCompileErrors ({ merged, madeInCode }: Sources): Error[] {
  const { options } = merged
  const rules = [...(options.rules ?? []).entries()]
  const defaultErrors = collectErrors(policyChecks(builtInDraft, options, 'default', ROOT))
  const base = buildDefaultDraft(options)
  const ruleErrors = collectErrors(rules.flatMap(([index, rule]) => ruleChecks(base, rule, `${ROOT}.rules[${index}]`, madeInCode)))
    // A rule inherits the errors of the default policy, which are already reported.
    .filter((error) => defaultErrors.length === 0 || isGiven(error, merged))
  const found = [...collectErrors(pluginChecks(options)), ...defaultErrors, ...ruleErrors]
  const errors = found.length > 0 ? found : findBucketConflicts(options, madeInCode)
  const unique = new Map(errors.map((error) => [error.message, error]))
  return Array.from(unique.values(), (error) => toConfigError(relocateError(error, merged)))
}

type Check = () => unknown

/** An entry that is valid in every list of networks. */
const LOCAL = 'loopback'

function pluginChecks (options: RateLimitOptions): Check[] {
  return [
    () => checkIdentityOptions(options, ROOT),
    ...(options.exempt?.routes ?? []).map((text, index) => {
      return () => compilePattern(text, ROUTING, `${ROOT}.exempt.routes[${index}]`)
    }),
    ...networkChecks((options.health || undefined)?.allow ?? [], `${ROOT}.health.allow`),
    ...networkChecks((options.metrics || undefined)?.allow ?? [], `${ROOT}.metrics.allow`),
    ...networkChecks((options.admin || undefined)?.allow ?? [], `${ROOT}.admin.allow`)
  ]
}

/** One check per entry; the other entries are replaced by a valid one. */
function networkChecks (list: readonly string[], place: string): Check[] {
  return list.map((_, index) => () => parseCidrs(list.map((entry, other) => other === index ? entry : LOCAL), place))
}

function ruleChecks (base: PolicyDraft, rule: RuleOptions, place: string, madeInCode: ReadonlySet<string>): Check[] {
  if (!madeInCode.has(rule.name)) {
    return [() => compilePattern(rule.match, ROUTING, `${place}.match`), ...policyChecks(base, rule, `rule:${rule.name}`, place)]
  }
  // Tiers, a penalty and an incomplete limit of such a rule depend on options in code, so they cannot be checked.
  const { tiers, penalty, ...ownOptions } = rule
  const isComplete = rule.limits !== undefined || (rule.max !== undefined && rule.timeWindow !== undefined)
  return isComplete ? policyChecks(builtInDraft, ownOptions, `rule:${rule.name}`, place) : []
}

/** One check per tier and per field that can be wrong, because compiling ends at the first error. */
function policyChecks (base: PolicyDraft, options: RouteRateLimit, scope: string, place: string): Check[] {
  const { tiers = {}, ...policy } = options
  // Switched off explicitly, because omitted options are inherited.
  const off: RouteRateLimit = { penalty: false, refundOn: [], throttle: false, cost: 0 }
  const withSingleField = Object.keys(off).map((field) => ({ ...policy, ...without(off, [field]) }))
  const withTiers = Object.entries(tiers).map(([name, tier]) => {
    return { ...policy, ...without(off, ['throttle', 'cost']), tiers: { [name]: tier } }
  })
  const variants: RouteRateLimit[] = [...withSingleField, ...withTiers]
  return variants.map((variant) => () => compilePolicy(REGISTRATION, mergePolicy(base, variant, scope, place), place))
}

/** The draft of the default policy, from which rules inherit. */
function buildDefaultDraft (options: RateLimitOptions): PolicyDraft {
  try {
    return mergePolicy(builtInDraft, options, 'default', ROOT)
  } catch {
    // The error is already reported. With this very high limit as their base, no rule fails because of the default policy.
    const { limits, burst, algorithm, by, tiers, ...rest } = options
    return mergePolicy(builtInDraft, { ...rest, max: 4_000_000_000, timeWindow: 4_000_000 }, 'default', ROOT)
  }
}

/** Errors of rules that share buckets but have unequal limits: one per rule that contradicts an earlier rule. */
function findBucketConflicts (options: RateLimitOptions, madeInCode: ReadonlySet<string>): Error[] {
  // Rules of the code become empty rules instead of being removed, so that the other rules keep their indexes.
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

/** Rethrows an error that is a fault of this program, not an error in a file. */
function toConfigError (error: unknown): Error {
  if (error instanceof Error && 'code' in error) return error
  throw error
}
