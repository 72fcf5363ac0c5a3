import { Components, type Dialect } from './components.js'
import type { LimitsExtension } from './limits-extension.js'
import { isRecord, type JsonRecord } from '../common/type-guards.js'

/** What there is to tell of an operation. */
export interface LimitedOperation {
  readonly limits: LimitsExtension
  /** Whether the application writes the bodies of its refusals. */
  readonly hasOwnBody: boolean
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'])

/** Whether a document is one of OpenAPI 3. */
export function isOpenApi3 (document: unknown): document is JsonRecord {
  return isRecord(document) && typeof document.openapi === 'string' && document.openapi.startsWith('3.') && isRecord(document.paths)
}

/**
 * A document that tells of limits: limited operations get the extension `x-rate-limit`, the headers of counted responses,
 * and the response 429 where they have none. The given one is left as it is.
 */
export function withLimits (document: JsonRecord, dialect: Dialect, findOperation: (method: string, path: string) => LimitedOperation | null): JsonRecord {
  const components = new Components(document.components, dialect)
  const paths = mapRecord(document.paths, (item, path) => mapRecord(item, (operation, field) => {
    if (field === 'additionalOperations') return mapRecord(operation, (inner, method) => annotateOperation(inner, findOperation(method.toUpperCase(), path), components))
    return METHODS.has(field) ? annotateOperation(operation, findOperation(field.toUpperCase(), path), components) : operation
  }))
  return { ...document, paths, components: components.all }
}

function annotateOperation (operation: unknown, limited: LimitedOperation | null, components: Components): unknown {
  if (limited === null || !isRecord(operation)) return operation
  const { responses } = operation
  return {
    ...operation,
    responses: {
      ...withHeaders(responses, components),
      ...(isRecord(responses) && '429' in responses ? {} : { 429: components.refusal(limited.hasOwnBody) })
    },
    'x-rate-limit': limited.limits
  }
}

/** What the application says of its own 429, or of a header, it knows better; what it refers to may be referred to elsewhere too. */
function withHeaders (responses: unknown, components: Components): JsonRecord {
  return mapRecord(responses, (response, status) => {
    if (status === '429' || !isRecord(response) || '$ref' in response) return response
    const own = isRecord(response.headers) ? response.headers : {}
    const declared = new Set(Object.keys(own).map((name) => name.toLowerCase()))
    const ours = Object.entries(components.headers()).filter(([name]) => !declared.has(name.toLowerCase()))
    return ours.length === 0 ? response : { ...response, headers: { ...own, ...Object.fromEntries(ours) } }
  })
}

function mapRecord (record: unknown, change: (value: unknown, key: string) => unknown): JsonRecord {
  return Object.fromEntries(Object.entries(isRecord(record) ? record : {}).map(([key, value]) => [key, change(value, key)]))
}
