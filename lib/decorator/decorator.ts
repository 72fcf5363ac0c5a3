import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { createBlocked, type BlockedPage, type BlockedQuery } from './blocked.js'
import { GLOBAL_PARTITION, parsePartition } from '../clients/partition.js'
import type { LayerOptions } from '../config/layers/layer.js'
import type { MetricsRegistry } from '../config/schema/metrics-schema.js'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { GUARD_PLACE, type SnapshotHolder } from '../runtime/snapshot.js'
import { createExplain } from './explain.js'
import type { Explain } from './explanation.js'
import type { Next } from '../request/limiter-context.js'
import { checkHealth, type Health } from '../observability/health.js'
import type { Decision } from '../model/decision.js'
import type { LimitStanding } from '../model/decision.js'
import { toLimitStanding } from '../request/standing.js'
import type { Reloader } from '../runtime/reloader.js'
import type { Limit } from '../stores/store.js'

/** A hook that limits the requests it sees: for one route's `preHandler`, for `setNotFoundHandler`, and the like. */
export interface Guard {
  (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void
  /** For a hook of your own that awaits it. Does not settle where the refusal was sent. */
  (request: FastifyRequest, reply: FastifyReply): Promise<void>
}

/** Where one partition stands with one limit. */
export interface PartitionStanding extends LimitStanding {
  /** The scope of the buckets, such as `default` or `group:search`. */
  readonly scope: string
  /** Whose buckets in that scope these are: those of the clients of a tier, or, `null`, of all who have no limits by their tier. */
  readonly tier: string | null
}

/** `fastify.rateLimit`. Calling it is `guard`. */
export interface RateLimitDecorator {
  (options?: RouteRateLimit): Guard
  /**
   * A hook that limits by the registration's policy, or by options laid over it. Limits of its own need a `groupId`.
   * A request is charged once per policy however many guards it meets.
   *
   * Throws FST_SLUICE_BAD_OPTION and its like for wrong options.
   */
  guard (options?: RouteRateLimit): Guard
  /**
   * Decide now, and charge: for a WebSocket message, a GraphQL field, a job. Nothing is written to the response.
   * Limits of its own need a `groupId`. `null` while the registration is switched off.
   *
   * Rejects with FST_SLUICE_BAD_OPTION and its like for wrong options.
   */
  check (request: FastifyRequest, options?: RouteRateLimit): Promise<Decision | null>
  /**
   * Where a partition stands with every limit, without charging it.
   * `partition`: `ip:` with any address of the client, `user:` with an id, `key:` with a generated key, or `global`.
   *
   * Rejects with FST_SLUICE_BAD_OPTION when it is none of these.
   */
  peek (partition: string): Promise<PartitionStanding[]>
  /** Forget what a partition used, in all scopes, and lift its blocks. Answers how many buckets and penalties there were. Rejects as `peek`. */
  reset (partition: string): Promise<number>
  /**
   * Who is blocked by a penalty now, a page at a time. With Redis, of the blocks that this process began or met: another
   * process may know of others. It remembers the latest 10,000 or more of them, and asks the store about each of a page.
   *
   *     const { blocked, cursor } = await fastify.rateLimit.blocked({ limit: 20 })
   *     // blocked: [{ partition: 'ip:203.0.113.9', scope: 'rule:login', remainingMs: 41_250 }]
   *
   * Rejects with FST_SLUICE_BAD_OPTION for a limit outside 1 to 1000, and for a cursor that no page gave.
   */
  blocked (query?: BlockedQuery): Promise<BlockedPage>
  /**
   * The registry of prom-client in which this registration's metrics are; `null` with `metrics: false`. All registrations of
   * one application share it, unless they were given others.
   */
  readonly metrics: MetricsRegistry | null
  /** How the store is. Answers within the deadline, also while the store hangs. */
  health (): Promise<Health>
  /**
   * Exchange the limits while requests go on, whole or not at all: what was used stays used. `options` stand in the place
   * of the config file's, over those of `register` and under the environment; without them the file is read anew.
   *
   * Rejects with FST_SLUICE_BAD_OPTION and its like, and with FST_SLUICE_FIXED_OPTION for what cannot change at run time; the
   * error is logged, and what held before holds on.
   */
  reload (options?: ReloadOptions): Promise<void>
  /**
   * What holds for a route now, each value with the layer that it comes from; without a route, the default policy and
   * all rules. It can be sent as JSON, and has no secrets in it.
   *
   *     const { holds, policies: [policy] } = fastify.rateLimit.explain('GET /login')
   *     // 'limited'
   *     policy.options.find(({ option }) => option === 'max')
   *     // { option: 'max', value: 5, from: 'file', place: 'rate-limit.toml:6:1: rules[0].max' }
   *
   * `route`: its method and its whole pattern, or `{ method, url, constraints }`. One that does not exist is explained as
   * an unknown URL is counted.
   *
   * Throws FST_SLUICE_BAD_OPTION when it is neither.
   */
  explain: Explain
}

/** What a reload may say: what `register` may, and rules of the lower layers by their name only. */
export type ReloadOptions = LayerOptions

export function buildDecorator (snapshots: SnapshotHolder, reloader: Reloader): RateLimitDecorator {
  const { addresses, backend, guards, metrics } = snapshots.current.services

  function guard (options?: RouteRateLimit): Guard {
    snapshots.current.policyFor(options, GUARD_PLACE)
    if (options !== undefined) guards.add(options)
    function limit (request: FastifyRequest, reply: FastifyReply, next: Next): void {
      const snapshot = snapshots.forRequest(request)
      if (snapshot.isEnabled) snapshot.limiter.limit(snapshot.policyFor(options, GUARD_PLACE), request, reply, next)
      else next()
    }
    function rateLimitGuard (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void
    function rateLimitGuard (request: FastifyRequest, reply: FastifyReply): Promise<void>
    function rateLimitGuard (request: FastifyRequest, reply: FastifyReply, ...rest: unknown[]): Promise<void> | void {
      // A preParsing hook gets the payload before its callback.
      const done = rest[rest.length - 1]
      if (isCallback(done)) return limit(request, reply, done)
      return new Promise((resolve, reject) => limit(request, reply, (error) => { error === undefined ? resolve() : reject(error) }))
    }
    return rateLimitGuard
  }

  async function check (request: FastifyRequest, options?: RouteRateLimit): Promise<Decision | null> {
    // A WebSocket lives for hours, and must hear of changed limits before it ends.
    const snapshot = request.headers.upgrade === undefined ? snapshots.forRequest(request) : snapshots.current
    const policy = snapshot.policyFor(options, 'rateLimit.check')
    return snapshot.isEnabled ? await snapshot.limiter.check(policy, request) : null
  }

  async function peek (text: string): Promise<PartitionStanding[]> {
    const partition = parsePartition(text, addresses)
    const { buckets } = snapshots.current.policySet
    const standings = await backend.store.peek(buckets.limits().filter((limit) => mayCharge(limit, partition)), partition)
    return standings.map((standing) => ({ scope: buckets.getScope(standing.limit), tier: buckets.getTier(standing.limit), ...toLimitStanding(standing) }))
  }

  async function reset (text: string): Promise<number> {
    const partition = parsePartition(text, addresses)
    // What was counted here while the store was away must not outlive the reset, nor wait for the store to be back.
    const limits = snapshots.current.policySet.buckets.limits()
    if (backend.local !== backend.store) backend.local.reset(limits, partition)
    return await backend.store.reset(limits, partition)
  }

  return Object.assign((options?: RouteRateLimit) => guard(options), {
    guard, check, peek, reset, blocked: createBlocked(snapshots), metrics: metrics?.registry ?? null, health: () => checkHealth(backend.health), reload: async (options?: ReloadOptions) => { reloader.reload('call', options) }, explain: createExplain(snapshots)
  })
}

/** Whether a limit can have a bucket for a partition at all. */
function mayCharge ({ by }: Limit, partition: string): boolean {
  switch (by) {
    case 'global': return partition === GLOBAL_PARTITION
    // Of a user's limit too: it charges the address of whoever is none.
    case 'ip': return partition !== GLOBAL_PARTITION && !/^(?:key|user)[:#]/.test(partition)
    case 'user': return partition !== GLOBAL_PARTITION && !/^key[:#]/.test(partition)
    case 'client': return partition !== GLOBAL_PARTITION
    default: return by satisfies never
  }
}

function isCallback (value: unknown): value is HookHandlerDoneFunction {
  return typeof value === 'function'
}
