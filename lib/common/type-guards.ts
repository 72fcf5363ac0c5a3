/** Whether a callback of the application, or a store, returned a promise, of any implementation. */
export function isThenable<Value> (value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** An object of a JSON document, or of options. */
export type JsonRecord = Readonly<Record<string, unknown>>

/** Whether a value is an object with named values: no array, no function. */
export function isRecord (value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a value is an object or an array. */
export function isObject (value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
