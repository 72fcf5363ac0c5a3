import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest, RegisterOptions, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Clock } from '../common/clock.js'
import { checkRedisTarget, isMock } from '../config/backend/redis-target.js'
import { FST_SLUICE_ALREADY_REGISTERED } from '../errors.js'
import type { RateLimitDecorator, RateLimitOptions as NativeOptions, rateLimitPlugin } from '../index.js'
import { FaultLog } from '../common/log.js'
import type { CompatFaults } from './faults.js'
import { OncePerRequest, createHook, type LimitHook } from './hook.js'
import { createMockStore } from './mock-store.js'
import { Limiters, type SharedCounts } from './limiters.js'
import type { CreateRateLimitOptions, LimiterAnswer, RateLimitHook, RateLimitOptions, RateLimitPluginOptions } from './options.js'
import { parsePluginOptions } from './settings.js'

/** The least `memory.maxKeys`. `cache` was per route in the original; here one memory serves all routes. */
const MIN_KEYS = 100_000
const MAX_KEYS = 16_777_216

const DEFAULT_NAMESPACE = 'fastify-rate-limit-'

/** Decorators of compat registrations, to distinguish them from those of other limiters. */
const compatFunctions = new WeakSet<object>()

/** The number of registrations of each server, by their base name in keys. */
const registrations = new WeakMap<object, Map<string, number>>()

/** The native plugin, and the clock that it uses. */
interface Foundation {
  readonly nativePlugin: typeof rateLimitPlugin
  readonly clock: Clock
}

/** Of the native plugin. A flush of Redis, which many tests of applications do between their cases, ends refusals at once. */
export const nativeTuning = { maxDenialUs: 0 }

/** Builds the plugin on the native plugin and a clock. Tests pass their own. */
export function buildFastifyRateLimit (nativePlugin: typeof rateLimitPlugin, clock: Clock) {
  return buildOn(() => ({ nativePlugin, clock }))
}

/** Builds the plugin. `createFoundation` is called once for each registration. */
export function buildOn (createFoundation: () => Foundation) {
  return fp(async function fastifyRateLimit (fastify: FastifyInstance, given: RateLimitPluginOptions & RegisterOptions) {
    const { nativePlugin, clock } = createFoundation()
    const { prefix, logLevel, logSerializers, ...rest } = given
    // `groupId` has no meaning here: as in the original, only a route has a group.
    const { global = true, redis: target, nameSpace, deadline, groupId, ...inherited } = parsePluginOptions(rest)
    // A development setup of the original leaves it out, or sets it to null, false or an empty text.
    const mock = typeof target === 'object' && target !== null && isMock(target) ? target : null
    const sharedStore = inherited.store ?? (mock === null ? null : createMockStore(mock, nameSpace ?? DEFAULT_NAMESPACE))
    const redis: object | string | false = mock === null && target ? target : false
    if (redis !== false) checkRedisTarget(redis, 'rateLimit.redis')
    const faults: CompatFaults = new FaultLog(fastify.log, clock)
    const oncePerRequest = new OncePerRequest()

    // Before the native registration: environment variables must not apply to a registration inside another one.
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
    const name = createRegistrationName(fastify)
    const createCounts = async (): Promise<SharedCounts> => {
      const nativeLimiter = await createNativeLimiter(fastify, nativePlugin, {
        name,
        // No routes, metrics or limits that the original does not have.
        global: false,
        health: false,
        metrics: false,
        redis,
        keyPrefix: toKeyPrefix(nameSpace),
        memory: { maxKeys: Math.min(Math.max(inherited.cache ?? 0, MIN_KEYS), MAX_KEYS) },
        deadline
      })
      return { nativeLimiter, claims: new Map() }
    }
    const counts = redis === false
      ? await createCounts()
      : await shareCounts(fastify, { redis, nameSpace, deadline }, createCounts)
    const limiters = new Limiters({ ...counts, registration: name, sharedStore, deadlineMs: deadline, faults, clock }, inherited)

    fastify.addHook('onReady', async () => { limiters.markReady() })
    const limitByDefault = createHook(limiters.shared, oncePerRequest, faults)
    fastify.addHook('onRoute', function limitRoute (route: RouteOptions) {
      // Another limiter, registered in an inner scope, decides for its routes.
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

type CountsKey = Pick<RateLimitPluginOptions, 'redis' | 'nameSpace' | 'deadline'>

/** The counts of each server's registrations with Redis. */
const sharedCounts = new WeakMap<object, Array<{ readonly key: CountsKey, readonly counts: Promise<SharedCounts> }>>()

/** Registrations with one client of Redis and one name space share their counts, as in the original. */
function shareCounts (fastify: FastifyInstance, key: CountsKey, create: () => Promise<SharedCounts>): Promise<SharedCounts> {
  const entries = sharedCounts.get(fastify.server) ?? []
  const known = entries.find((entry) =>
    entry.key.redis === key.redis && entry.key.nameSpace === key.nameSpace && entry.key.deadline === key.deadline)
  if (known !== undefined) return known.counts
  const counts = create()
  sharedCounts.set(fastify.server, [...entries, { key, counts }])
  return counts
}

/** Registers the native plugin in a scope without routes: it limits nothing there, and does not decorate the application. */
async function createNativeLimiter (
  fastify: FastifyInstance, nativePlugin: typeof rateLimitPlugin, options: NativeOptions
): Promise<RateLimitDecorator> {
  let nativeLimiter: RateLimitDecorator | undefined
  await fastify.register(async function sluice (scope) {
    await scope.register(nativePlugin, options)
    nativeLimiter = scope.rateLimit
  })
  if (nativeLimiter === undefined) throw new TypeError('unreachable: the registration ended without a decorator')
  return nativeLimiter
}

/** Decorates the scope. A second registration in it has separate limits, and keeps the first one's decorators. */
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

/** Appends our hook to a route's hooks of a phase. Copies the array, because it belongs to the application. */
function appendHook (route: RouteOptions, phase: RateLimitHook, hook: LimitHook): void {
  switch (phase) {
    case 'onRequest': route.onRequest = [route.onRequest ?? [], hook].flat(); return
    case 'preParsing':
      route.preParsing = [
        route.preParsing ?? [], async (request: FastifyRequest, reply: FastifyReply) => { await hook(request, reply) }
      ].flat()
      return
    case 'preValidation': route.preValidation = [route.preValidation ?? [], hook].flat(); return
    case 'preHandler': route.preHandler = [route.preHandler ?? [], hook].flat(); return
    default: phase satisfies never
  }
}

/** A prefix of keys. Braces would select the slot of a Cluster, and long prefixes make long keys: these are hashed. */
function toKeyPrefix (nameSpace: string = DEFAULT_NAMESPACE): string {
  if (/^[^{}\s]{0,64}$/.test(nameSpace)) return nameSpace
  const hash = createHash('sha256').update(nameSpace, 'utf16le').digest('base64url')
  return `${nameSpace.replace(/[{}\s]/g, '').slice(0, 20)}#${hash}`
}

/** A registration's name in keys: its prefix, and a number if there are several, so that they do not share counts. */
function createRegistrationName (fastify: FastifyInstance): string {
  const base = `compat${fastify.prefix.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, 48)}`
  const names = registrations.get(fastify.server) ?? new Map<string, number>()
  const number = (names.get(base) ?? 0) + 1
  registrations.set(fastify.server, names.set(base, number))
  return number === 1 ? base : `${base}.${number}`
}
