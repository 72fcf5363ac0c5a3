import type { ConfigPath } from '../schema/option-path.js'
import type { RateLimitOptions } from '../schema/options-schema.js'

/** Where options come from, lowest first: a later one wins. */
export type LayerName = 'built-in' | 'register' | 'file' | 'environment' | 'operator'

/** One source of options, checked by itself. */
export interface Layer {
  readonly name: LayerName
  readonly options: LayerOptions
  /**
   * Where a value of this layer was written, or the nearest thing around it, as a message begins:
   * `rateLimit.rules[2].max`, `rate-limit.toml:12:7: rules[2].max`, `SLUICE_RULES__LOGIN__MAX`.
   */
  readonly locate: (path: ConfigPath) => string
}

/** What one layer may say: a rule that a lower layer has made needs no `match` in a higher one. */
export type LayerOptions = Omit<RateLimitOptions, 'rules'> & {
  readonly rules?: ReadonlyArray<Partial<NonNullable<RateLimitOptions['rules']>[number]> & { readonly name: string }>
}
