import cluster from 'node:cluster'
import type { FastifyInstance, FastifyReply, FastifyRequest, RegisterOptions, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { buildBackend, retryUnavailableSeconds } from './backend.js'
import { AddressReader } from './clients/address.js'
import { systemClock, type Clock } from './clock.js'
import { checkBackendOptions } from './config/backend-options.js'
import { checkOptions } from './config/check.js'
import { checkIdentityOptions } from './config/identity-schema.js'
import { RateLimitOptionsSchema, type RateLimitOptions } from './config/schema.js'
import { buildDecorator } from './decorator.js'
import { FST_SLUICE_ALREADY_REGISTERED, FST_SLUICE_CONTRADICTION, FST_SLUICE_INVALID_ROUTE, warnings } from './errors.js'
import { mountHealthRoute } from './health-route.js'
import { limitOnce, type Next, type RequestPath } from './hook.js'
import { buildIdentity } from './identity.js'
import { FaultLog } from './observability/fault-log.js'
import { PolicyBook } from './policies/book.js'
import type { Decision } from './policies/decision.js'
import type { Phase } from './policies/policy.js'
import { routingOf } from './policies/request-path.js'
import { policiesOf, policyIn, RouteTable } from './policies/route-table.js'
import { addScopeHook, appendRouteHook } from './phases.js'
import { headerWriter } from './response/headers.js'
import { WaitingRoom } from './throttle/waiting-room.js'

/** Build the plugin over a clock; tests bring their own. */
export function buildRateLimitPlugin (clock: Clock) {
  return fp(async function rateLimitPlugin (fastify: FastifyInstance, given: RateLimitOptions & RegisterOptions) {
    // Fastify's own words to register come along with ours.
    const { prefix, logLevel, logSerializers, ...options } = given
    checkOptions(RateLimitOptionsSchema, options, 'rateLimit')
    checkBackendOptions(options)
    checkIdentityOptions(options, 'rateLimit')
    refuseSecondRegistration(fastify)

    const name = options.name ?? nameOf(fastify)
    if (options.redis !== undefined) claimName(fastify, name)
    const faults = new FaultLog(fastify.log, clock)
    const addresses = new AddressReader(options.ipv6Subnet ?? 56)
    const identity = buildIdentity(fastify, options, addresses, clock, faults)
    const book = new PolicyBook(name, options, routingOf(fastify), (tier) => identity.tiers.add(tier))
    const routes = new RouteTable(book)
    const backend = await buildBackend(options, clock, fastify.log, faults)
    const room = new WaitingRoom(clock)
    const path: RequestPath = {
      identifier: identity.identifier,
      exemptions: identity.exemptions,
      tiers: identity.tiers,
      store: backend.store,
      local: backend.local,
      knownBlock: (charges) => backend.knownBlock(charges),
      room,
      retryUnavailableSeconds: retryUnavailableSeconds(options),
      writeHeaders: headerWriter(options.headers ?? 'x-ratelimit'),
      faults
    }
    const isEnabled = options.enabled ?? true
    const decorator = buildDecorator({ path, book, addresses, isEnabled, health: backend.health })
    if (options.redis === undefined) warnAboutCluster()

    fastify.decorate('rateLimit', decorator)
    // A scope inside another registration's has it already.
    if (!fastify.hasRequestDecorator('rateLimit')) decorateRequests(fastify)
    fastify.addHook('onReady', async () => {
      identity.check()
      if (book.exempted.length > 0) fastify.log.info({ routes: book.exempted }, 'rate limit: routes that are exempt')
    })
    // Before the server waits for its connections: those of requests that are held would keep it.
    fastify.addHook('preClose', async () => { room.close() })
    fastify.addHook('onClose', async () => {
      identity.close()
      await backend.close()
    })

    /** Whether this registration is the innermost one around a scope: that one decides. */
    function isOurs (scope: FastifyInstance): boolean {
      return scope.rateLimit === decorator
    }

    fastify.addHook('onRoute', function compileRoute (route: RouteOptions) {
      if (!isOurs(this)) return
      const declared = routes.declare(route)
      if (!isEnabled) return
      for (const phase of new Set(policiesOf(declared).map(({ hook }) => hook))) {
        if (phase === 'onRequest') continue
        appendRouteHook(route, phase, function rateLimit (request, reply, next) {
          // The route's scope may have got a registration of its own since.
          const policy = isOurs(request.server) ? policyIn(phase, declared, request) : null
          if (policy === null) next()
          else limitOnce(path, policy, request, reply, next)
        })
      }
    })

    mountHealthRoute(fastify, options.health, backend.health, identity)
    if (!isEnabled) return
    addScopeHook(fastify, 'onRequest', limitAt('onRequest'))
    if (book.base.hook !== 'onRequest') addScopeHook(fastify, book.base.hook, limitAt(book.base.hook))

    function limitAt (phase: Phase) {
      return function rateLimit (request: FastifyRequest, reply: FastifyReply, next: Next) {
        const policy = isOurs(request.server) ? routes.policyAt(phase, request) : null
        if (policy === null) {
          next()
        } else if (policy instanceof Error) {
          faults.report('config', policy)
          // Set here too: an error handler of the application need not read the error's own.
          reply.code(503)
          next(new FST_SLUICE_INVALID_ROUTE({ cause: policy }))
        } else {
          limitOnce(path, policy, request, reply, next)
        }
      }
    }
  }, { fastify: '5.x', name: 'fastify-sluice' })
}

/**
 * Limit the rate of requests, by the options given here and by `config.rateLimit` of a route.
 *
 * Throws FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION and FST_SLUICE_CONTRADICTION for wrong options, also from the
 * declaration of a route, and FST_SLUICE_ALREADY_REGISTERED for a second registration in one scope.
 */
export const rateLimitPlugin = buildRateLimitPlugin(systemClock)

function refuseSecondRegistration (fastify: FastifyInstance): void {
  if (Object.hasOwn(fastify, 'rateLimit')) throw new FST_SLUICE_ALREADY_REGISTERED()
}

const kDecision = Symbol('fastify-sluice.decision')

/** By an accessor on the prototype: a plain value would miss the scopes that were made before the plugin was loaded. */
function decorateRequests (fastify: FastifyInstance): void {
  fastify.decorateRequest('rateLimit', {
    getter () { return this[kDecision] ?? null },
    setter (decision) { this[kDecision] = decision }
  })
}

/** A registration without a name is called by its prefix. */
function nameOf (fastify: FastifyInstance): string {
  return fastify.prefix === '' ? 'app' : fastify.prefix
}

/** Names of the registrations of each server that keep their limits in Redis. */
const claimed = new WeakMap<object, Set<string>>()

/** Two registrations of one name would share their keys, and so their clients' budgets. */
function claimName (fastify: FastifyInstance, name: string): void {
  const names = claimed.get(fastify.server) ?? new Set()
  if (names.has(name)) throw new FST_SLUICE_CONTRADICTION('rateLimit.name', `"${name}" is another registration's name already, and both would use the same keys in Redis; give each a name`)
  claimed.set(fastify.server, names.add(name))
}

function warnAboutCluster (): void {
  if (!cluster.isWorker) return
  process.emitWarning('the memory store counts in each worker of node:cluster by itself, so clients get the limit once per worker', { code: warnings.memoryInCluster })
}

declare module 'fastify' {
  interface FastifyRequest {
    [kDecision]?: Decision | null
  }
}
