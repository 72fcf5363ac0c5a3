import type { ExplainedOption } from '../config/layers/explain.js'
import type { ConfigPath } from '../config/schema/option-path.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { RuleOptions } from '../config/schema/policy-schema.js'
import type { Policy } from '../policies/policy.js'
import type { RouterOptions } from '../routing/router-options.js'

/** A policy, or the limits of one of its tiers, after merging. */
export interface WarningPolicy {
  /** `null` for the default policy, and for that of a route. */
  readonly rule: RuleOptions | null
  /** `null` for clients without a tier that has limits of its own. */
  readonly tier: string | null
  /** `null` for an unlimited tier, and for a rule that is defined in code and only partly known. */
  readonly policy: Policy | null
  readonly isMadeInCode: boolean
  /** Each value with its source; for a rule that is defined in code, only the known values. Read only for a warning. */
  readonly options: readonly ExplainedOption[]
}

/** The valid options that are checked for warnings. */
export interface WarningInput {
  readonly options: RateLimitOptions
  readonly routing: RouterOptions
  /** The place where the value at a path was written, as it appears at the start of a message. */
  readonly locate: (path: ConfigPath) => string
  readonly policies: readonly WarningPolicy[]
}
