import cluster from 'node:cluster'
import type { FastifyInstance, FastifyReply, FastifyRequest, RegisterOptions, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { mountAdminRoutes } from './admin-routes.js'
import { buildBackend } from './backend.js'
import { AddressReader } from './clients/address.js'
import { systemClock, type Clock } from './clock.js'
import type { Environment } from './config/environment.js'
import { located, type Layered } from './config/layers.js'
import { logSettingsOf } from './config/log-schema.js'
import type { RateLimitOptions } from './config/schema.js'
import { Configuration } from './configuration.js'
import { buildDecorator } from './decorator.js'
import { Edition } from './edition.js'
import { Editions } from './editions.js'
import { FST_SLUICE_ALREADY_REGISTERED, FST_SLUICE_CONTRADICTION, FST_SLUICE_INVALID_ROUTE, warnings } from './errors.js'
import { KnownGuards } from './guards.js'
import { mountHealthRoute } from './health-route.js'
import { limitOnce, type Next } from './hook.js'
import { IdentityParts } from './identity.js'
import { mountMetricsRoute } from './metrics-route.js'
import { FaultLog } from './observability/fault-log.js'
import { createMetrics, type Metrics } from './observability/metrics.js'
import { RefusalLog } from './observability/refusal-log.js'
import { documentLimits } from './openapi-document.js'
import type { Decision } from './policies/decision.js'
import { DeclaredRoutes } from './policies/declared-routes.js'
import type { Phase } from './policies/policy.js'
import { addScopeHook, appendRouteHook } from './phases.js'
import { Reloads } from './reloads.js'
import { WaitingRoom } from './throttle/waiting-room.js'

/** Build the plugin over a clock and an environment; tests bring their own. */
export function buildRateLimitPlugin (clock: Clock, env: Environment = {}) {
  return fp(async function rateLimitPlugin (fastify: FastifyInstance, given: RateLimitOptions & RegisterOptions) {
    // Fastify's own words to register come along with ours.
    const { prefix, logLevel, logSerializers, ...options } = given
    refuseSecondRegistration(fastify)
    // What the environment says of the whole application is not meant for a registration inside another.
    const configuration = new Configuration(options, fastify.hasDecorator('rateLimit') ? {} : env)
    const layered = configuration.load()

    const name = layered.options.name ?? nameOf(fastify)
    const isShared = layered.options.redis !== undefined || layered.options.store !== undefined
    if (isShared) claimName(fastify, name)
    const faults = new FaultLog(fastify.log, clock)
    const addresses = new AddressReader(layered.options.ipv6Subnet ?? 56)
    const identity = new IdentityParts(fastify, layered.options, addresses, clock, faults)
    const metrics = await metricsOf(fastify, layered.options)
    const backend = await buildBackend(name, layered.options, clock, { log: fastify.log, faults, metrics })
    metrics?.watch({ breaker: backend.health.breaker, memory: backend.local })
    const room = new WaitingRoom(clock)
    const logSettings = logSettingsOf(layered.options.log)
    const refusals = logSettings === null ? null : new RefusalLog({ logger: fastify.log, clock, settings: logSettings })
    const editions = new Editions(new Edition({
      fastify, name, addresses, identity, backend, room, routes: new DeclaredRoutes(), refusals, metrics, faults, guards: new KnownGuards()
    }, layered))
    const reloads = new Reloads(configuration, editions, fastify.log)
    const decorator = buildDecorator(editions, reloads)
    if (!isShared) warnAboutCluster()

    fastify.decorate('rateLimit', decorator)
    // A scope inside another registration's has it already.
    if (!fastify.hasRequestDecorator('rateLimit')) decorateRequests(fastify)
    fastify.addHook('onReady', async () => {
      checkIdentity(identity, layered)
      const { exempted } = editions.current.book
      if (exempted.length > 0) fastify.log.info({ routes: exempted }, 'rate limit: routes that are exempt')
      reloads.watch(layered.options.reloadOnSignal ?? false)
    })
    // Before the server waits for its connections: those of requests that are held would keep it.
    fastify.addHook('preClose', async () => { room.close() })
    fastify.addHook('onClose', async () => {
      reloads.close()
      identity.close()
      refusals?.close()
      metrics?.close()
      await backend.close()
    })

    /** Whether this registration is the innermost one around a scope: that one decides. */
    function isOurs (scope: FastifyInstance): boolean {
      return scope.rateLimit === decorator
    }

    fastify.addHook('onRoute', function compileRoute (route: RouteOptions) {
      if (!isOurs(this)) return
      const { index, phases } = editions.current.routes.declare(route)
      for (const phase of phases) {
        if (phase === 'onRequest') continue
        appendRouteHook(route, phase, function rateLimit (request, reply, next) {
          const edition = editions.of(request)
          // The route's scope may have got a registration of its own since.
          const policy = edition.isEnabled && isOurs(request.server) ? edition.routes.policyIn(phase, index, request) : null
          if (policy === null) next()
          else limitOnce(edition.path, policy, request, reply, next)
        })
      }
    })

    const identityOfTheDay = () => editions.current.identity
    mountHealthRoute(fastify, layered.options.health, backend.health, identityOfTheDay)
    if (metrics !== null) mountMetricsRoute(fastify, layered.options.metrics, metrics.registry, identityOfTheDay)
    mountAdminRoutes(fastify, layered.options.admin, { rateLimit: decorator, editions, reloads })
    documentLimits(fastify, editions)
    addScopeHook(fastify, 'onRequest', limitAt('onRequest'))
    const { hook } = editions.current.book.base
    if (hook !== 'onRequest') addScopeHook(fastify, hook, limitAt(hook))

    function limitAt (phase: Phase) {
      return function rateLimit (request: FastifyRequest, reply: FastifyReply, next: Next) {
        const edition = phase === 'onRequest' ? editions.current : editions.of(request)
        const policy = edition.isEnabled && isOurs(request.server) ? edition.routes.policyAt(phase, request) : null
        if (policy === null) {
          next()
        } else if (policy === 'later') {
          editions.pin(request, edition)
          next()
        } else if (policy instanceof Error) {
          faults.report('config', policy)
          // Set here too: an error handler of the application need not read the error's own.
          reply.code(503)
          next(new FST_SLUICE_INVALID_ROUTE({ cause: policy }))
        } else {
          limitOnce(edition.path, policy, request, reply, next)
        }
      }
    }
  }, { fastify: '5.x', name: 'fastify-sluice' })
}

/**
 * Limit the rate of requests, by the options given here and by `config.rateLimit` of a route.
 *
 * Throws FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION, FST_SLUICE_CONTRADICTION and FST_SLUICE_UNEQUAL_LIMITS for wrong
 * options, also from the declaration of a route; FST_SLUICE_UNREADABLE_FILE and FST_SLUICE_BAD_SYNTAX for a config file that
 * cannot be read; FST_SLUICE_ROUTE_TAKEN where the application has a route that is to be mounted; and
 * FST_SLUICE_ALREADY_REGISTERED for a second registration in one scope. FST_SLUICE_NO_JWT comes when the application gets ready.
 */
export const rateLimitPlugin = buildRateLimitPlugin(systemClock, process.env)

/** `null` where nothing is counted, and then prom-client is not loaded either. */
async function metricsOf ({ server }: FastifyInstance, { metrics = {} }: RateLimitOptions): Promise<Metrics | null> {
  return metrics === false ? null : await createMetrics({ app: server, registry: metrics.registry })
}

/** Throws FST_SLUICE_NO_JWT. */
function checkIdentity (identity: IdentityParts, layered: Layered): void {
  try {
    identity.check()
  } catch (error) {
    throw located(error, layered)
  }
}

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

/** Names of the registrations of each server that keep their limits outside this plugin's memory. */
const claimed = new WeakMap<object, Set<string>>()

/** Two registrations of one name would share their keys, and so their clients' budgets. */
function claimName (fastify: FastifyInstance, name: string): void {
  const names = claimed.get(fastify.server) ?? new Set()
  if (names.has(name)) throw new FST_SLUICE_CONTRADICTION('rateLimit.name', `"${name}" is another registration's name already, and both would use the same buckets; give each a name`)
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
