import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { warnings } from '../errors.js'
import { readStaticPath } from '../routing/request-path.js'
import { findRootScope, isRootScope, readRouterOptions, type RouterOptions } from '../routing/router-options.js'

/** What the plugin answers at a path, and to which requests. */
export interface Answers {
  readonly allows: (request: FastifyRequest) => boolean
  readonly answer: (reply: FastifyReply) => Promise<unknown>
}

interface UnroutedPath extends Answers {
  /** The option that sets another path, for the warning; `null` for no warning. */
  readonly option: 'health' | 'metrics' | null
}

const pathsByServer = new WeakMap<object, UnroutedPaths>()

/**
 * The default paths of all registrations of one server. They are no routes, so that a route of the application for the same
 * URL is never in conflict: the plugin answers them only as long as the URL is unknown to the router.
 */
export class UnroutedPaths {
  readonly #paths = new Map<string, UnroutedPath>()
  readonly #routerOptions: RouterOptions
  #isHooked = false
  #taken: readonly string[] | null = null

  private constructor (routerOptions: RouterOptions) {
    this.#routerOptions = routerOptions
  }

  static of (fastify: FastifyInstance): UnroutedPaths {
    const paths = pathsByServer.get(fastify.server) ?? new UnroutedPaths(readRouterOptions(fastify))
    pathsByServer.set(fastify.server, paths)
    return paths
  }

  /** `url`: with the prefix of the scope. */
  add (fastify: FastifyInstance, url: string, unrouted: UnroutedPath): void {
    this.#paths.set(readStaticPath(url, this.#routerOptions), unrouted)
    // A registration in the root scope has a hook for unknown URLs. A nested scope does not see them.
    if (!this.#isHooked && !isRootScope(fastify)) {
      findRootScope(fastify).addHook('onRequest', (request, reply, next) => { this.answer(request, reply, next) })
    }
    this.#isHooked = true
  }

  /** Whether an unknown URL is answered here, for clients that the access list allows. */
  has (method: string, url: string): boolean {
    return this.#find(method, url) !== undefined
  }

  /** Whether a request to an unknown URL is answered here. */
  accepts (request: FastifyRequest): boolean {
    return this.#find(request.method, request.url)?.allows(request) === true
  }

  /** Answer a request, if it is to an unknown URL that is answered here; else call `next`. */
  answer (request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void): void {
    const unrouted = this.#paths.size > 0 && request.is404 ? this.#find(request.method, request.url) : undefined
    if (unrouted?.allows(request) === true) unrouted.answer(reply).catch(next)
    else next()
  }

  /** Find the paths that the application answers, and warn once of them. To be called when all routes are declared. */
  warnAboutTaken (fastify: FastifyInstance): readonly string[] {
    this.#taken ??= this.#findTaken(fastify)
    return this.#taken
  }

  #findTaken (fastify: FastifyInstance): readonly string[] {
    const taken = [...this.#paths].filter(([url]) => fastify.findRoute({ method: 'GET', url }) !== null)
    const unexpected = taken.filter(([, { option }]) => option !== null)
    if (unexpected.length > 0) warnAboutTakenPaths(unexpected.map(([url, { option }]) => ({ url, option: String(option) })))
    return taken.map(([url]) => url)
  }

  #find (method: string, url: string): UnroutedPath | undefined {
    return method === 'GET' || method === 'HEAD' ? this.#paths.get(readStaticPath(url, this.#routerOptions)) : undefined
  }
}

/** One warning for all default paths where the application has a route. */
function warnAboutTakenPaths (taken: ReadonlyArray<{ readonly url: string, readonly option: string }>): void {
  const list = (texts: readonly string[]) => [...new Set(texts)].join(' and ')
  process.emitWarning(
    `the application has a route for ${list(taken.map(({ url }) => url))}, so the rate limiter does not answer there; ` +
    `set ${list(taken.map(({ option }) => `${option}.path`))}, or set ${list(taken.map(({ option }) => option))} to false`,
    { code: warnings.defaultPathTaken }
  )
}
