/**
 * Options as text, so that equal ones that are written anew for every request are known again; a function is known by
 * itself only. `null` for what cannot be an option.
 */
export type OptionsKeyFunction = (options: object) => string | null

export function createOptionsKeyFunction (): OptionsKeyFunction {
  const numbers = new WeakMap<object, number>()
  let functions = 0

  function replaceFunction (_key: string, value: unknown): unknown {
    if (typeof value !== 'function') return value
    const number = numbers.get(value) ?? ++functions
    numbers.set(value, number)
    // No text of an option begins so.
    return `\0function ${number}`
  }

  return (options) => {
    try {
      return JSON.stringify(options, replaceFunction)
    } catch {
      return null // a cycle, a bigint: whoever checks options says so
    }
  }
}
