/** The steps from the root of the options to a value: names of options, indexes of arrays, names of tiers. */
export type ConfigPath = ReadonlyArray<string | number>

/** A path as it is written in a message: `rateLimit.rules[2].max`. */
export function formatPath (root: string, path: ConfigPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, root)
}
