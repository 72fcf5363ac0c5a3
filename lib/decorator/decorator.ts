import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { badOption } from '../config/schema/check.js'
import { isObject } from '../common/type-guards.js'
import { createBlocked, type BlockedPage, type BlockedQuery } from './blocked.js'
import { loadTemporal } from '../calendar/temporal.js'
import { parsePartition } from '../clients/partition.js'
import type { LayerOptions } from '../config/layers/layer.js'
import type { MetricsRegistry } from '../config/schema/metrics-schema.js'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { GUARD_PLACE, type SnapshotHolder } from '../runtime/snapshot.js'
import { createConsume, givesConcurrency, type ConsumeOptions } from './consume.js'
import { createExplain } from './explain.js'
import type { Explain } from './explanation.js'
import type { Next } from '../request/limiter-context.js'
import type { Health } from '../observability/health.js'
import type { Decision, LimitStanding } from '../model/decision.js'
import { toLimitStanding } from '../request/standing.js'
import type { Reloader } from '../runtime/reloader.js'
import type { Client } from '../model/client.js'
import { mayCharge } from './may-charge.js'
import { createUsage, type QuotaUsage, type UsageOptions } from './usage.js'

/** A request of any server (HTTP/2 too), logger and type provider. Only the common part of these types is required. */
export type AnyRequest = Pick<FastifyRequest, 'id' | 'url' | 'method'>

/** A reply of any server, logger and type provider. */
export type AnyReply = Pick<FastifyReply, 'sent' | 'statusCode'>

/** A hook that limits requests, for example as a route's `preHandler` or in `setNotFoundHandler`. */
export interface Guard {
  (request: AnyRequest, reply: AnyReply, done: HookHandlerDoneFunction): void
  /** For an async hook that awaits it. The promise never settles if the refusal was sent. */
  (request: AnyRequest, reply: AnyReply): Promise<void>
}

/** The state of one limit for one partition. */
export interface PartitionStanding extends LimitStanding {
  /** The scope of the buckets, such as `default` or `group:search`. */
  readonly scope: string
  /** The tier that the buckets belong to; `null` for the buckets of all tiers without limits of their own. */
  readonly tier: string | null
}

/** `fastify.rateLimit`. Calling it is `guard`. */
export interface RateLimitDecorator {
  (options?: RouteRateLimit): Guard
  /**
   * Create a hook that limits by the registration's policy, merged with `options`. Limits of its own need a `groupId`.
   * A request is charged once per policy, even if it passes several guards.
   *
   * Throws FST_SLUICE_BAD_OPTION and similar errors for wrong options.
   */
  guard (options?: RouteRateLimit): Guard
  /**
   * Charge the client and return the decision, for a WebSocket message, a GraphQL field or a job. Nothing is written to
   * the response. Limits of its own need a `groupId`. `null` while the registration is disabled.
   *
   * Rejects with FST_SLUICE_BAD_OPTION and similar errors for wrong options, and for a value that is not a request.
   */
  check (request: AnyRequest, options?: RouteRateLimit): Promise<Decision | null>
  /**
   * Charge a partition and return the decision, where there is no request: in a job, for a message of a queue. Limits of
   * its own need a `groupId`. `null` while the registration is disabled.
   *
   *     const decision = await fastify.rateLimit.consume('user:42', { groupId: 'mails', max: 100, timeWindow: '1 day' })
   *     if (decision?.isRefused) return retryIn(decision.retryAfterMs)
   *
   * Limits that do not apply to the partition are skipped: `by: 'ip'` for a user, who has no address here; `by: 'user'`
   * for a key; all but `by: 'global'` for `global`. `exempt.when`, `keyGenerator` and the callbacks of the registration
   * are not called.
   *
   * `partition`: as for `peek`. Rejects with FST_SLUICE_BAD_OPTION for any other text, and with FST_SLUICE_CONTRADICTION
   * if no enforced limit applies, or if a function of the request computes the cost or a limit.
   */
  consume (partition: string, options?: ConsumeOptions): Promise<Decision | null>
  /**
   * Return the state of every limit for a partition, without charging it.
   * `partition`: `ip:` with any address of the client, `user:` with an ID, `key:` with a generated key, or `global`.
   *
   * Rejects with FST_SLUICE_BAD_OPTION for any other text.
   */
  peek (partition: string): Promise<PartitionStanding[]>
  /**
   * Return what a client has used of each quota, that is of each limit with a `period`, with the start and the end of the
   * current period: what a page about the client's plan shows. Charges nothing.
   *
   *     const [{ used, limit, end }] = await fastify.rateLimit.usage(request.rateLimit.client)
   *
   * `of`: a partition, as for `peek`, with the quotas of all tiers; or a client, with those of its tier and by its anchor.
   * Without the anchor of a client, the end of its period is known while it has used units. Rejects with
   * FST_SLUICE_BAD_OPTION for any other text.
   */
  usage (of: string | Client, options?: UsageOptions): Promise<QuotaUsage[]>
  /**
   * Delete the usage of a partition in all scopes, and lift its blocks. Returns the number of deleted buckets and penalties.
   *
   * Rejects with FST_SLUICE_BAD_OPTION, as `peek`.
   */
  reset (partition: string): Promise<number>
  /**
   * List the partitions that a penalty blocks now, in pages. With Redis, the list has the blocks that this process began
   * or met; other processes may know others. At least the latest 10,000 are kept. The store confirms each one of a page.
   *
   *     const { blocked, cursor } = await fastify.rateLimit.blocked({ limit: 20 })
   *     // blocked: [{ partition: 'ip:203.0.113.9', scope: 'rule:login', remainingMs: 41_250 }]
   *
   * Rejects with FST_SLUICE_BAD_OPTION for a limit outside 1 to 1000, and for an invalid cursor.
   */
  blocked (query?: BlockedQuery): Promise<BlockedPage>
  /**
   * The prom-client registry with this registration's metrics; `null` with `metrics: false`. All registrations of one
   * application share it, unless they have the option `metrics.registry`.
   */
  readonly metrics: MetricsRegistry | null
  /** Which limiter answers, and the state of its store. Resolves within the deadline, even if the store hangs. */
  health (): Promise<Health>
  /**
   * Replace the limits while requests are served, completely or not at all. Used units stay used. `options` replace those
   * of the config file: they override `register`, and the environment overrides them. Without `options` the file is read
   * again.
   *
   * Rejects with FST_SLUICE_BAD_OPTION and similar errors, and with FST_SLUICE_FIXED_OPTION for an option that cannot
   * change at runtime. The error is logged, and the previous limits stay in effect.
   */
  reload (options?: ReloadOptions): Promise<void>
  /**
   * Return the policies of a route, each value with the layer that it comes from. Without a route, return the default
   * policy and all rules. The result can be sent as JSON and contains no secrets.
   *
   *     const { state, policies: [policy] } = fastify.rateLimit.explain('GET /login')
   *     // state: 'limited'
   *     policy.options.find(({ option }) => option === 'max')
   *     // { option: 'max', value: 5, from: 'file', place: 'rate-limit.toml:6:1: rules[0].max' }
   *
   * `route`: its method and its whole pattern, or `{ method, url, constraints }`. A route that does not exist is
   * explained as an unknown URL.
   *
   * Throws FST_SLUICE_BAD_OPTION for any other value.
   */
  explain: Explain
}

/** Options of a reload: those of `register`. Rules of lower layers may be given by their name only. */
export type ReloadOptions = LayerOptions

export function buildDecorator (snapshots: SnapshotHolder, reloader: Reloader, health: () => Promise<Health>): RateLimitDecorator {
  const { addresses, backend, guards, metrics } = snapshots.current.services

  function guard (options?: RouteRateLimit): Guard {
    snapshots.current.policyFor(options, GUARD_PLACE)
    if (options !== undefined) guards.add(options)
    function limit (request: FastifyRequest, reply: FastifyReply, next: Next): void {
      const snapshot = snapshots.forRequest(request)
      if (snapshot.isEnabled) snapshot.limiter.limit(snapshot.policyFor(options, GUARD_PLACE), request, reply, next)
      else next()
    }
    function rateLimitGuard (request: AnyRequest, reply: AnyReply, done: HookHandlerDoneFunction): void
    function rateLimitGuard (request: AnyRequest, reply: AnyReply): Promise<void>
    function rateLimitGuard (anyRequest: AnyRequest, anyReply: AnyReply, ...rest: unknown[]): Promise<void> | void {
      const [request, reply] = [anyRequest as FastifyRequest, anyReply as FastifyReply]
      // In a preParsing hook the payload is passed before the callback.
      const done = rest[rest.length - 1]
      if (isCallback(done)) return limit(request, reply, done)
      return new Promise((resolve, reject) => {
        limit(request, reply, (error) => { error === undefined ? resolve() : reject(error) })
      })
    }
    return rateLimitGuard
  }

  async function check (request: FastifyRequest, options?: RouteRateLimit): Promise<Decision | null> {
    const expected = 'a request; without one, use rateLimit.consume(partition, options)'
    if (!isRequest(request)) throw badOption('rateLimit.check', expected, request)
    // A WebSocket may stay open for hours, so it uses the current limits and not those of its first request.
    const snapshot = request.headers.upgrade === undefined ? snapshots.forRequest(request) : snapshots.current
    const policy = snapshot.policyFor(options, 'rateLimit.check')
    return snapshot.isEnabled ? await snapshot.limiter.check(policy, request, givesConcurrency(options)) : null
  }

  async function peek (text: string): Promise<PartitionStanding[]> {
    const partition = parsePartition(text, addresses)
    const { buckets } = snapshots.current.policySet
    if (snapshots.current.hasPeriods) await loadTemporal()
    const standings = await backend.store.peek(buckets.limits().filter((limit) => mayCharge(limit, partition)), partition)
    return standings.map((standing) => {
      const { limit } = standing
      return { scope: buckets.getScope(limit), tier: buckets.getTier(limit), ...toLimitStanding(standing) }
    })
  }

  async function reset (text: string): Promise<number> {
    const partition = parsePartition(text, addresses)
    // Also reset the fallback memory, and first: its counts must not survive the reset if the store fails.
    const limits = snapshots.current.policySet.buckets.limits()
    if (snapshots.current.hasPeriods) await loadTemporal()
    if (backend.local !== backend.store) backend.local.reset(limits, partition)
    return await backend.store.reset(limits, partition)
  }

  return Object.assign((options?: RouteRateLimit) => guard(options), {
    guard,
    check,
    consume: createConsume(snapshots),
    peek,
    usage: createUsage(snapshots),
    reset,
    blocked: createBlocked(snapshots),
    metrics: metrics?.registry ?? null,
    health,
    reload: async (options?: ReloadOptions) => { reloader.reload('call', options) },
    explain: createExplain(snapshots)
  })
}

/** Whether a value is a request of Fastify, not one of another framework or of Node.js. */
function isRequest (value: unknown): boolean {
  return isObject(value) && 'raw' in value && 'headers' in value && isObject(value.headers)
}

function isCallback (value: unknown): value is HookHandlerDoneFunction {
  return typeof value === 'function'
}
