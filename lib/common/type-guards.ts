/** Whether a callback of the application returned a promise, of any implementation. */
export function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** An object of a JSON document. */
export type JsonRecord = Readonly<Record<string, unknown>>

export function isRecord (value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
