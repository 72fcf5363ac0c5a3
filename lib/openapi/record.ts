/** An object of a JSON document. */
export type JsonRecord = Readonly<Record<string, unknown>>

export function isRecord (value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
