import type { RateLimitOptions } from './schema.js'

/** The steps from the root of the options to a value: names of options, indexes of arrays, names of tiers. */
export type ConfigPath = ReadonlyArray<string | number>

/** Where options come from, lowest first: a later one wins. */
export type LayerName = 'built-in' | 'register' | 'file' | 'environment' | 'operator'

/** One source of options, checked by itself. */
export interface Layer {
  readonly name: LayerName
  readonly options: LayerOptions
  /**
   * Where a value of this layer was written, or the nearest thing around it, as a message begins:
   * `rateLimit.rules[2].max`, `rate-limit.toml:12:7: rules[2].max`, `RATE_LIMIT_RULES__LOGIN__MAX`.
   */
  readonly placeOf: (path: ConfigPath) => string
}

/** What one layer may say: a rule that a lower layer has made needs no `match` in a higher one. */
export type LayerOptions = Omit<RateLimitOptions, 'rules'> & {
  readonly rules?: ReadonlyArray<Partial<NonNullable<RateLimitOptions['rules']>[number]> & { readonly name: string }>
}

/** A path as it is written in a message: `rateLimit.rules[2].max`. */
export function textOfPath (root: string, path: ConfigPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, root)
}
