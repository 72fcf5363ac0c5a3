import { Components, type HeaderOptions } from './components.js'
import { hasGlobalConcurrency, type LimitsExtension } from './limits-extension.js'
import { isRecord, type JsonRecord } from '../common/type-guards.js'

/** What the document states about a limited operation. */
export interface LimitedOperation {
  readonly limits: LimitsExtension
  /** Whether the application writes the bodies of its refusals. */
  readonly hasOwnBody: boolean
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'])

/** Whether a value is an OpenAPI 3 document. */
export function isOpenApi3 (document: unknown): document is JsonRecord {
  return isRecord(document) && typeof document.openapi === 'string' && document.openapi.startsWith('3.') && isRecord(document.paths)
}

/**
 * A copy of a document with the limits added. Each limited operation gets the extension `x-rate-limit` and the headers of
 * counted responses. It also gets a 429 response if it has none, and a 503 response for a concurrency limit of all clients.
 */
export function withLimits (
  document: JsonRecord, options: HeaderOptions, findOperation: (method: string, path: string) => LimitedOperation | null
): JsonRecord {
  const components = new Components(document.components, options)
  const paths = mapRecord(document.paths, (item, path) => {
    const annotate = (operation: unknown, method: string): unknown =>
      annotateOperation(operation, findOperation(method.toUpperCase(), path), components)
    return mapRecord(item, (operation, field) => {
      if (field === 'additionalOperations') return mapRecord(operation, annotate)
      return METHODS.has(field) ? annotate(operation, field) : operation
    })
  })
  return { ...document, paths, components: components.all }
}

function annotateOperation (operation: unknown, limited: LimitedOperation | null, components: Components): unknown {
  if (limited === null || !isRecord(operation)) return operation
  const { responses } = operation
  return {
    ...operation,
    responses: {
      ...withHeaders(responses, components),
      ...(isRecord(responses) && '429' in responses ? {} : { 429: components.refusal(limited.hasOwnBody) }),
      ...(!hasGlobalConcurrency(limited.limits) || (isRecord(responses) && '503' in responses)
        ? {}
        : { 503: components.capacityRefusal(limited.hasOwnBody) })
    },
    'x-rate-limit': limited.limits
  }
}

/** Keeps the application's own 429 and headers. A `$ref` is not changed, since other operations may use its target. */
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
