import type { FastifyInstance } from 'fastify'
import type { ConfigSnapshot } from '../runtime/snapshot.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { isOpenApi3, withLimits, type LimitedOperation } from './document.js'
import { buildLimitsExtension } from './limits-extension.js'
import { toDocumentPaths } from './path-template.js'
import { isRecord, type JsonRecord } from '../common/type-guards.js'
import { toYaml } from './yaml.js'
import { listPolicies } from '../policies/route-table.js'

const SWAGGER = '@fastify/swagger'
const DECORATOR = 'swagger'

/**
 * Have the documents that @fastify/swagger writes tell of the limits of the day. The document is changed and no route's
 * schema: by that, Fastify would write the application's own bodies of 429.
 */
export function documentLimits (fastify: FastifyInstance, snapshots: SnapshotHolder): void {
  const scopes = new Set<FastifyInstance>([fastify])
  fastify.addHook('onRoute', function findScope () { scopes.add(this) })
  // By now every plugin is there, whichever was registered first.
  fastify.addHook('onReady', async function findDocuments () {
    for (const owner of new Set([...scopes].map(findSwaggerScope))) {
      if (owner !== null) wrapSwagger(owner, snapshots)
    }
    scopes.clear()
  })
}

/** The scope in which the document of a scope's routes is written. */
function findSwaggerScope (scope: FastifyInstance): object | null {
  if (!scope.hasPlugin(SWAGGER)) return null
  // Each scope has the one around it for its prototype.
  for (let owner: unknown = scope; typeof owner === 'object' && owner !== null; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, DECORATOR)) return owner
  }
  return null
}

function wrapSwagger (owner: object, snapshots: SnapshotHolder): void {
  const write: unknown = Reflect.get(owner, DECORATOR)
  if (typeof write !== 'function') return
  let latest: { readonly document: JsonRecord, readonly snapshot: ConfigSnapshot, readonly earlyCount: number, readonly annotated: JsonRecord } | null = null
  Reflect.set(owner, DECORATOR, function swagger (this: unknown, options?: unknown): unknown {
    const document: unknown = Reflect.apply(write, this, [])
    const { current } = snapshots
    const { openapi = true } = current.merged.options
    if (!openapi || !current.isEnabled || !isOpenApi3(document)) return Reflect.apply(write, this, [options])
    // Those from before the plugin are met one by one.
    const earlyCount = current.services.routes.early.size
    // It writes its document once; whoever changes what he was given finds it changed, as without us.
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
    const limited = limits === null ? null : { limits, hasOwnBody: listPolicies(policy).some(({ errorResponseBuilder }) => errorResponseBuilder !== null) }
    const path = toDocumentPaths(url, document.servers).find((one) => isRecord(document.paths) && Object.hasOwn(document.paths, one))
    // Of routes that differ by their constraints the last one is in the document.
    if (path !== undefined) for (const name of [method].flat()) operations.set(`${name} ${path}`, limited)
  }
  return withLimits(document, merged.options.headers ?? 'x-ratelimit', (method, path) => operations.get(`${method} ${path}`) ?? null)
}
