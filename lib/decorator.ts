import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AddressReader } from './clients/address.js'
import { GLOBAL_PARTITION, partitionOf } from './clients/partition.js'
import type { RouteRateLimit } from './config/policy-schema.js'
import { decide } from './decide.js'
import { limitOnce, type Next, type RequestPath } from './hook.js'
import { healthOf, type Health, type HealthSource } from './observability/health.js'
import type { PolicyBook } from './policies/book.js'
import type { Decision } from './policies/decision.js'
import type { Policy } from './policies/policy.js'
import { standingOf, type LimitStanding } from './policies/standing.js'
import type { Limit } from './stores/store.js'

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
  /** Forget what a partition used, in all scopes. Answers how many buckets there were. Rejects as `peek`. */
  reset (partition: string): Promise<number>
  /** How the store is. Answers within the deadline, also while the store hangs. */
  health (): Promise<Health>
}

/** The parts that the decorator puts into users' hands. */
export interface DecoratorParts {
  readonly path: RequestPath
  readonly book: PolicyBook
  readonly addresses: AddressReader
  readonly isEnabled: boolean
  readonly health: HealthSource
}

export function buildDecorator ({ path, book, addresses, isEnabled, health }: DecoratorParts): RateLimitDecorator {
  const policies = new WeakMap<RouteRateLimit, Policy>()

  function policyFor (options: RouteRateLimit | undefined, place: string): Policy {
    if (options === undefined) return book.base
    let policy = policies.get(options)
    if (policy === undefined) {
      policy = book.policyFor(options, place)
      policies.set(options, policy)
    }
    return policy
  }

  function guard (options?: RouteRateLimit): Guard {
    const policy = policyFor(options, 'rateLimit.guard')
    function limit (request: FastifyRequest, reply: FastifyReply, next: Next): void {
      if (isEnabled) limitOnce(path, policy, request, reply, next)
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
    const policy = policyFor(options, 'rateLimit.check')
    return isEnabled ? await decide(path, policy, request, false) : null
  }

  async function peek (text: string): Promise<PartitionStanding[]> {
    const partition = partitionOf(text, addresses)
    const standings = await path.store.peek(book.limits().filter((limit) => charges(limit, partition)), partition)
    return standings.map((standing) => ({ scope: book.scopeOf(standing.limit), tier: book.tierOf(standing.limit), ...standingOf(standing) }))
  }

  async function reset (text: string): Promise<number> {
    const partition = partitionOf(text, addresses)
    // What was counted here while the store was away must not outlive the reset, nor wait for the store to be back.
    if (path.local !== path.store) path.local.reset(book.limits(), partition)
    return await path.store.reset(book.limits(), partition)
  }

  return Object.assign((options?: RouteRateLimit) => guard(options), { guard, check, peek, reset, health: () => healthOf(health) })
}

/** Whether a limit can have a bucket for a partition at all. */
function charges ({ by }: Limit, partition: string): boolean {
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
