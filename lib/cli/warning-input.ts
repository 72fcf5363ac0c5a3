import type { ConfigPath } from '../config/schema/option-path.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { EffectivePolicy } from './effective-policies.js'

/** The valid options that are checked for warnings. */
export interface WarningInput {
  readonly options: RateLimitOptions
  /** The place where the value at a path was written, as it appears at the start of a message. */
  readonly locate: (path: ConfigPath) => string
  readonly policies: readonly EffectivePolicy[]
}
