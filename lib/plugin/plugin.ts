import type { FastifyInstance, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import { loadTemporal } from '../calendar/temporal.js'
import { AddressReader } from '../clients/address/address-reader.js'
import { notePeers } from '../clients/address/peer.js'
import { IdentityFactory } from '../clients/identity.js'
import { systemClock, type Clock } from '../common/clock.js'
import { FaultLog } from '../common/log.js'
import { SlotUsages } from '../concurrency/slot-usage.js'
import { Configuration } from '../config/configuration.js'
import type { Environment } from '../config/environment/environment.js'
import { relocateError, type MergedOptions } from '../config/layers/merge.js'
import { toLogSettings } from '../config/schema/log-schema.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import { buildDecorator } from '../decorator/decorator.js'
import { createHealthReport } from '../decorator/health-report.js'
import type { Decision } from '../model/decision.js'
import type { MountedRoutes } from '../observability/health.js'
import { logStart } from '../observability/lifecycle-events.js'
import { createMetrics, type Metrics } from '../observability/metrics/metrics.js'
import { Recorder } from '../observability/recording/recorder.js'
import { RefusalLog } from '../observability/refusal-log/refusal-log.js'
import { documentLimits } from '../openapi/swagger.js'
import { DeclaredRoutes } from '../policies/declared-routes.js'
import { mountAdminRoutes } from '../routes/admin.js'
import { mountHealthRoute } from '../routes/health.js'
import { mountMetricsRoute } from '../routes/metrics.js'
import { UnroutedPaths } from '../routes/unrouted-paths.js'
import { buildBackend } from '../runtime/backend.js'
import { GuardOptionsRegistry } from '../runtime/guard-options.js'
import { Reloader } from '../runtime/reloader.js'
import { ConfigSnapshot, SnapshotHolder } from '../runtime/snapshot.js'
import { warnAboutOptions } from '../runtime/start-warnings.js'
import { DelayQueue } from '../throttle/delay-queue.js'
import { compileRoutes, limitRequests, type Limiting } from './hooks.js'
import { buildPage, buildPageRecorders } from './page.js'
import { reserveName, deriveName, refuseSecondRegistration, warnAboutCluster, warnAboutUndefinedRedis } from './registration-name.js'

interface Tuning {
  /** The poll interval of the config file. */
  readonly filePollMs?: number
  /** How long a refusal of Redis or a custom store is cached; 0 caches none. */
  readonly maxDenialUs?: number
  /** How often the operator page publishes the summary of this instance. */
  readonly pagePublishMs?: number
}

/** Build the plugin for a clock of the process and an environment. Tests pass their own. */
export function buildRateLimitPlugin (processClock: Clock, env: Environment = {}, { filePollMs, maxDenialUs, pagePublishMs }: Tuning = {}) {
  return fp(async function rateLimitPlugin (fastify: FastifyInstance, given: RateLimitOptions & RegisterOptions) {
    // Fastify passes its own `register` options together with ours.
    const { prefix, logLevel, logSerializers, ...options } = given
    refuseSecondRegistration(fastify)
    // Environment variables configure the whole application, so a nested registration ignores them.
    const configuration = await Configuration.create(options, fastify.hasDecorator('rateLimit') ? {} : env)
    const layered = configuration.load()

    const name = layered.options.name ?? deriveName(fastify)
    const { redis, store } = layered.options
    const isShared = (redis !== undefined && redis !== false) || store !== undefined
    if (isShared) reserveName(fastify, name)
    const clock = layered.options.clock ?? processClock
    const faults = new FaultLog(fastify.log, clock)
    const addresses = new AddressReader(layered.resolved.ipv6Subnet)
    const identityFactory = new IdentityFactory(fastify, layered.resolved, addresses, clock, faults)
    const metrics = await buildMetrics(fastify, layered.options)
    const logSettings = toLogSettings(layered.resolved.log)
    const pageRecorders = await buildPageRecorders(layered.options, processClock, logSettings)
    const { traffic, activity } = pageRecorders ?? { traffic: null, activity: null }
    const backend = await buildBackend(name, layered.resolved, processClock, { log: fastify.log, faults, metrics, activity, maxDenialUs })
    const delayQueue = new DelayQueue(clock)
    const slotUsages = new SlotUsages(clock)
    metrics?.watch({ breaker: backend.health.breaker, memory: backend.local, leases: backend.leaseCounters, slots: slotUsages })
    const refusals = logSettings === null ? null : new RefusalLog({ logger: fastify.log, clock, settings: logSettings })
    const { record } = layered.resolved
    const recorder = record === false ? null : new Recorder(record, { clock, faults })
    const unrouted = UnroutedPaths.of(fastify)
    const routes = new DeclaredRoutes(unrouted)
    const guards = new GuardOptionsRegistry()
    const services = { fastify, name, addresses, identityFactory, backend, delayQueue, slotUsages, routes, faults, guards }
    const snapshots = new SnapshotHolder(new ConfigSnapshot({ ...services, refusals, metrics, traffic, activity, recorder }, layered))
    const reloader = new Reloader(configuration, snapshots, fastify.log)
    const mounted = { metrics: null, health: null, admin: null } as { -readonly [Name in keyof MountedRoutes]: string | null }
    const reportHealth = createHealthReport(snapshots, mounted)
    const decorator = buildDecorator(snapshots, reloader, reportHealth)
    const page = await buildPage(pageRecorders, {
      snapshots, reloader, rateLimit: decorator, clock: processClock, publishMs: pagePublishMs
    })
    const closing = new AbortController()
    if (!isShared) await warnAboutCluster()
    if (!isShared && redis === undefined) warnAboutUndefinedRedis(options)

    fastify.decorate('rateLimit', decorator)
    // A nested registration inherits the request decorator from the outer one.
    if (!fastify.hasRequestDecorator('rateLimit')) decorateRequests(fastify)
    fastify.addHook('onReady', async () => {
      checkIdentity(identityFactory, layered)
      if (snapshots.current.hasPeriods) await loadTemporal()
      warnAboutOptions(snapshots.current)
      const taken = unrouted.warnAboutTaken(fastify)
      if (taken.includes(String(mounted.health))) mounted.health = null
      if (taken.includes(String(mounted.metrics))) mounted.metrics = null
      const { exempted } = snapshots.current.policySet
      if (exempted.length > 0) fastify.log.info({ routes: exempted }, 'rate limit: routes that are exempt')
      page?.start()
      reloader.watch(layered.resolved.reloadOnSignal, filePollMs)
      // Not awaited: an application starts even if its store is unavailable.
      logStart(fastify.log, backend.health, reportHealth, closing.signal).catch(() => {})
    })
    // Before the server waits for open connections: held requests would delay the close.
    fastify.addHook('preClose', async () => {
      closing.abort()
      delayQueue.close()
      slotUsages.closeLines()
    })
    fastify.addHook('onClose', async () => {
      reloader.close()
      identityFactory.close()
      refusals?.close()
      await recorder?.close()
      metrics?.close()
      traffic?.close()
      await page?.close()
      await backend.close()
    })

    notePeers(fastify.server)
    const limiting: Limiting = { snapshots, faults, unrouted, isOwnScope: (scope) => scope.rateLimit === decorator }
    compileRoutes(fastify, limiting)
    const mounting = { fastify, unrouted, identity: () => snapshots.current.identity }
    mounted.health = mountHealthRoute(mounting, layered.options.health, reportHealth)
    if (metrics !== null) mounted.metrics = mountMetricsRoute(mounting, layered.options.metrics, metrics.registry)
    mounted.admin = mountAdminRoutes(fastify, layered.options.admin, { rateLimit: decorator, snapshots, reloader, page })
    documentLimits(fastify, snapshots)
    limitRequests(fastify, limiting)
  }, { fastify: '5.x', name: 'fastify-sluice' })
}

/**
 * Limit the rate of requests, by the options given here and by `config.rateLimit` of each route.
 *
 * Errors thrown:
 *
 * - for wrong options, also when a route is declared: FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION,
 *   FST_SLUICE_CONTRADICTION, FST_SLUICE_UNEQUAL_LIMITS
 * - for a config file that cannot be read or parsed: FST_SLUICE_UNREADABLE_FILE, FST_SLUICE_BAD_SYNTAX
 * - for a route of this plugin that the application already has, at a path that an option sets: FST_SLUICE_ROUTE_TAKEN
 * - for a second registration in one scope: FST_SLUICE_ALREADY_REGISTERED
 * - while the application gets ready, if @fastify/jwt is missing: FST_SLUICE_NO_JWT
 */
export const rateLimitPlugin = buildRateLimitPlugin(systemClock, process.env)

/** `null` with `metrics: false`; prom-client is not loaded then. */
async function buildMetrics ({ server }: FastifyInstance, { metrics = {} }: RateLimitOptions): Promise<Metrics | null> {
  return metrics === false ? null : await createMetrics({ app: server, registry: metrics.registry, meter: metrics.otel })
}

/** Throws FST_SLUICE_NO_JWT. */
function checkIdentity (identity: IdentityFactory, layered: MergedOptions): void {
  try {
    identity.check()
  } catch (error) {
    throw relocateError(error, layered)
  }
}

const kDecision = Symbol('fastify-sluice.decision')

/** Uses an accessor on the prototype: a plain value would be missing in scopes created before the plugin was loaded. */
function decorateRequests (fastify: FastifyInstance): void {
  fastify.decorateRequest('rateLimit', {
    getter () { return this[kDecision] ?? null },
    setter (decision) { this[kDecision] = decision }
  })
}

declare module 'fastify' {
  interface FastifyRequest {
    [kDecision]?: Decision | null
  }
}
