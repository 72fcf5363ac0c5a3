import type { ConfigPath } from '../config/schema/option-path.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { EffectivePolicy } from './effective-policies.js'

/** What warnings are about: options that nothing is wrong with. */
export interface WarningInput {
  readonly options: RateLimitOptions
  /** Where the value at a path of the options was written, as a message begins. */
  readonly locate: (path: ConfigPath) => string
  readonly policies: readonly EffectivePolicy[]
}
