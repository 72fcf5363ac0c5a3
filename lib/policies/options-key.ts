/**
 * Formats options as a cache key, so that equal options in a new object for each request share one policy. Functions
 * are compared by identity. `null` for a value that cannot be formatted.
 */
export type OptionsKeyFunction = (options: object) => string | null

export function createOptionsKeyFunction (): OptionsKeyFunction {
  const numbers = new WeakMap<object, number>()
  let functions = 0

  function replaceFunction (_key: string, value: unknown): unknown {
    if (typeof value !== 'function') return value
    const number = numbers.get(value) ?? ++functions
    numbers.set(value, number)
    // No string option can start with a null character.
    return `\0function ${number}`
  }

  return (options) => {
    try {
      return JSON.stringify(options, replaceFunction)
    } catch {
      return null // A cycle or a bigint: the validation of options reports it.
    }
  }
}
