import type { ConfigPath } from '../schema/option-path.js'
import type { RateLimitOptions } from '../schema/options-schema.js'

/** The sources of options, lowest first. A higher one wins. */
export type LayerName = 'built-in' | 'register' | 'file' | 'environment' | 'operator'

/** One source of options, validated on its own. */
export interface Layer {
  readonly name: LayerName
  readonly options: LayerOptions
  /**
   * Where a value of this layer was written, or the nearest value around it, as a message begins:
   * `rateLimit.rules[2].max`, `rate-limit.toml:12:7: rules[2].max`, `SLUICE_RULES__LOGIN__MAX`.
   */
  readonly locate: (path: ConfigPath) => string
}

/** The options of one layer. A rule needs no `match` if a lower layer has the rule too. */
export type LayerOptions = Omit<RateLimitOptions, 'rules'> & {
  readonly rules?: ReadonlyArray<Partial<NonNullable<RateLimitOptions['rules']>[number]> & { readonly name: string }>
}
