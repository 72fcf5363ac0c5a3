import type { FastifyInstance } from 'fastify'
import type { ConfigSnapshot, SnapshotHolder } from '../runtime/snapshot.js'
import { isOpenApi3, withLimits, type LimitedOperation } from './document.js'
import { buildLimitsExtension } from './limits-extension.js'
import { toDocumentPaths } from './path-template.js'
import { isRecord, type JsonRecord } from '../common/type-guards.js'
import { toYaml } from './yaml.js'
import { listPolicies } from '../policies/route-table.js'

const SWAGGER = '@fastify/swagger'
const DECORATOR = 'swagger'

/**
 * Add the current limits to the documents that @fastify/swagger writes. The schemas of routes are not changed: Fastify
 * would then serialize the application's own 429 bodies by our schema.
 */
export function documentLimits (fastify: FastifyInstance, snapshots: SnapshotHolder): void {
  const scopes = new Set<FastifyInstance>([fastify])
  fastify.addHook('onRoute', function findScope () { scopes.add(this) })
  // All plugins are loaded at this point, in whichever order they were registered.
  fastify.addHook('onReady', async function findDocuments () {
    for (const owner of new Set([...scopes].map(findSwaggerScope))) {
      if (owner !== null) wrapSwagger(owner, snapshots)
    }
    scopes.clear()
  })
}

/** The scope whose decorator writes the document for a scope's routes. */
function findSwaggerScope (scope: FastifyInstance): object | null {
  if (!scope.hasPlugin(SWAGGER)) return null
  // The prototype of a scope is its parent scope.
  for (let owner: unknown = scope; typeof owner === 'object' && owner !== null; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, DECORATOR)) return owner
  }
  return null
}

/** The last document, and what it was built from. */
interface AnnotatedDocument {
  readonly document: JsonRecord
  readonly snapshot: ConfigSnapshot
  readonly earlyCount: number
  readonly annotated: JsonRecord
}

function wrapSwagger (owner: object, snapshots: SnapshotHolder): void {
  const write: unknown = Reflect.get(owner, DECORATOR)
  if (typeof write !== 'function') return
  let latest: AnnotatedDocument | null = null
  Reflect.set(owner, DECORATOR, function swagger (this: unknown, options?: unknown): unknown {
    const document: unknown = Reflect.apply(write, this, [])
    const { current } = snapshots
    const { openapi } = current.merged.resolved
    if (!openapi || !current.isEnabled || !isOpenApi3(document)) return Reflect.apply(write, this, [options])
    // Routes declared before the plugin become known at their first request.
    const earlyCount = current.services.routes.early.size
    // @fastify/swagger caches its document, and the application may change it. Caching ours keeps such changes too.
    if (latest?.document !== document || latest.snapshot !== current || latest.earlyCount !== earlyCount) {
      latest = { document, snapshot: current, earlyCount, annotated: annotateDocument(document, current) }
    }
    return isRecord(options) && options.yaml === true ? toYaml(latest.annotated) : latest.annotated
  })
}

function annotateDocument (document: JsonRecord, { merged, routes }: ConfigSnapshot): JsonRecord {
  const operations = new Map<string, LimitedOperation | null>()
  for (const { route: { method, url }, policy } of routes.known()) {
    if (policy instanceof Error) continue
    const limits = buildLimitsExtension(policy)
    const hasOwnBody = listPolicies(policy).some(({ errorResponseBuilder }) => errorResponseBuilder !== null)
    const limited = limits === null ? null : { limits, hasOwnBody }
    const path = toDocumentPaths(url, document.servers).find((one) => isRecord(document.paths) && Object.hasOwn(document.paths, one))
    // The document contains the last of the routes that differ only by their constraints.
    if (path !== undefined) for (const name of [method].flat()) operations.set(`${name} ${path}`, limited)
  }
  return withLimits(document, merged.resolved, (method, path) => operations.get(`${method} ${path}`) ?? null)
}
