import type { FastifyInstance, FastifyReply, FastifyRequest, RegisterOptions, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Clock } from '../common/clock.js'
import { checkRedisTarget } from '../config/backend/redis-target.js'
import { FST_SLUICE_ALREADY_REGISTERED } from '../errors.js'
import type { RateLimitDecorator, RateLimitOptions as NativeOptions, rateLimitPlugin } from '../index.js'
import { FaultLog } from '../common/log.js'
import { OncePerRequest, createHook, type CompatFaults, type LimitHook } from './hook.js'
import { Limiters } from './limiters.js'
import type { CreateRateLimitOptions, LimiterAnswer, RateLimitHook, RateLimitOptions, RateLimitPluginOptions } from './options.js'
import { parsePluginOptions } from './settings.js'

/** Buckets kept in memory where `cache` says less: it was meant for one route, and here it is for all of them. */
const MIN_KEYS = 100_000

/** Functions of registrations of this kind, to tell them from a limiter of another. */
const compatFunctions = new WeakSet<object>()

/** Registrations of each server, by the name that they would have in keys. */
const registrations = new WeakMap<object, Map<string, number>>()

/** Build the plugin over a plugin that counts, and a clock; tests bring their own. */
export function buildFastifyRateLimit (nativePlugin: typeof rateLimitPlugin, clock: Clock) {
  return fp(async function fastifyRateLimit (fastify: FastifyInstance, given: RateLimitPluginOptions & RegisterOptions) {
    const { prefix, logLevel, logSerializers, ...rest } = given
    const { global = true, redis, nameSpace, deadline, ...inherited } = parsePluginOptions(rest)
    if (redis !== undefined) checkRedisTarget(redis, 'rateLimit.redis')
    const faults: CompatFaults = new FaultLog(fastify.log, clock)
    const oncePerRequest = new OncePerRequest()

    // Ahead of the registration that counts: the environment's limits are meant for none inside another.
    decorate(fastify, {
      createRateLimit (options?: CreateRateLimitOptions) {
        const limiter = limiters.createManualLimiter(options, 'createRateLimit')
        return async (request: FastifyRequest, call?: { increment?: boolean }): Promise<LimiterAnswer> =>
          (await limiter.assess(request, call?.increment === false)).answer
      },
      rateLimit (options?: RateLimitOptions): LimitHook {
        return createHook(limiters.createManualLimiter(options, 'rateLimit'), oncePerRequest, faults)
      }
    })
    const limiters = new Limiters(await createNativeLimiter(fastify, nativePlugin, {
      name: createRegistrationName(fastify),
      // No more than it was asked for is mounted, written or believed.
      global: false,
      health: false,
      metrics: false,
      redis,
      keyPrefix: nameSpace ?? 'fastify-rate-limit-',
      memory: { maxKeys: Math.max(inherited.cache ?? 0, MIN_KEYS) },
      deadline
    }), inherited, deadline, faults)

    const limitByDefault = createHook(limiters.shared, oncePerRequest, faults)
    fastify.addHook('onRoute', function limitRoute (route: RouteOptions) {
      // A limiter of another kind in a scope of its own decides there.
      if (!compatFunctions.has(Reflect.get(this, 'rateLimit'))) return
      const own: unknown = route.config?.rateLimit ?? undefined
      if (own === undefined && global) {
        appendHook(route, limiters.shared.settings.hook, limitByDefault)
      } else if (own !== undefined && own !== false) {
        const limiter = limiters.createRouteLimiter(route, own)
        appendHook(route, limiter.settings.hook, createHook(limiter, oncePerRequest, faults))
      }
    })
  }, { fastify: '5.x', name: '@fastify/rate-limit' })
}

/** In a scope of its own, which has no routes: there the plugin limits nothing by itself, and what it decorates is not the application's. */
async function createNativeLimiter (fastify: FastifyInstance, nativePlugin: typeof rateLimitPlugin, options: NativeOptions): Promise<RateLimitDecorator> {
  let nativeLimiter: RateLimitDecorator | undefined
  await fastify.register(async function sluice (scope) {
    await scope.register(nativePlugin, options)
    nativeLimiter = scope.rateLimit
  })
  if (nativeLimiter === undefined) throw new TypeError('unreachable: the registration ended without a decorator')
  return nativeLimiter
}

/** A second registration in a scope limits by itself, and leaves the functions of the first. */
function decorate (fastify: FastifyInstance, functions: Readonly<Record<string, (...args: never[]) => unknown>>): void {
  if (Object.hasOwn(fastify, 'rateLimit')) {
    if (compatFunctions.has(Reflect.get(fastify, 'rateLimit'))) return
    throw new FST_SLUICE_ALREADY_REGISTERED()
  }
  for (const [name, value] of Object.entries(functions)) {
    compatFunctions.add(value)
    fastify.decorate(name, value)
  }
}

/** Let the hooks of a route's phase end in ours. The array is the user's own, and is not changed. */
function appendHook (route: RouteOptions, phase: RateLimitHook, hook: LimitHook): void {
  switch (phase) {
    case 'onRequest': route.onRequest = [route.onRequest ?? [], hook].flat(); return
    case 'preParsing': route.preParsing = [route.preParsing ?? [], async (request: FastifyRequest, reply: FastifyReply) => { await hook(request, reply) }].flat(); return
    case 'preValidation': route.preValidation = [route.preValidation ?? [], hook].flat(); return
    case 'preHandler': route.preHandler = [route.preHandler ?? [], hook].flat(); return
    default: phase satisfies never
  }
}

/** What a registration is called in keys: by its prefix, and by number where there are several, so that none shares another's counts. */
function createRegistrationName (fastify: FastifyInstance): string {
  const base = `compat${fastify.prefix.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, 48)}`
  const names = registrations.get(fastify.server) ?? new Map<string, number>()
  const number = (names.get(base) ?? 0) + 1
  registrations.set(fastify.server, names.set(base, number))
  return number === 1 ? base : `${base}.${number}`
}
