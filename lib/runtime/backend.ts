import type { Clock } from '../common/clock.js'
import { formatRedisLocation } from '../config/backend/redis-location.js'
import { splitRedisTarget } from '../config/backend/redis-credentials.js'
import type { ResolvedOptions } from '../config/schema/resolve-options.js'
import { FST_SLUICE_MEMORY_FULL } from '../errors.js'
import type { HealthSource } from '../observability/health.js'
import type { StoreLeaseObstacle } from '../policies/lease-plan.js'
import { LocalSlots } from '../concurrency/local-slots.js'
import { DenyCache } from '../resilience/deny-cache.js'
import { GuardedStore } from '../resilience/guarded-store.js'
import type { LeaseCounters } from '../stores/lease/lease-counters.js'
import type { LeasesOptions } from '../stores/lease/leases.js'
import { MemoryStore } from '../stores/memory/store.js'
import type { RedisTarget } from '../stores/redis/connect.js'
import type { SummaryBoard } from '../stores/redis/summary-board.js'
import type { Charge, ActiveBlock, Receipt, Store } from '../stores/store.js'
import { createStoreGuard, type BackendHooks, type StoreGuard } from './store-guard.js'

/** The stores of a registration, and their health. */
export interface Backend {
  /** The store that makes the decisions. */
  readonly store: Store
  /** The store that makes them while `store` cannot answer. */
  readonly local: MemoryStore
  /** The cached refusal, if one of the charges is known to be blocked; else `null`. */
  knownBlock (charges: readonly Charge[]): Receipt | null
  /** The blocks known to this process, unordered. A block may already be lifted, or may be listed twice. */
  blocks (): Iterable<ActiveBlock>
  /** Why no limit is leased; `null` if limits can be. */
  readonly leaseObstacle: StoreLeaseObstacle | null
  /** `null` without leases. */
  readonly leaseCounters: LeaseCounters | null
  /** Drop the cached refusals and the leases, because their limits have changed. */
  forgetRefusals (): void
  readonly health: HealthSource
  /** Where instances show each other their summaries; `null` without Redis. */
  readonly board: SummaryBoard | null
  /** Use the credentials of `redis` from now on. Everything else in it is unchanged. */
  setCredentials (redis: ResolvedOptions['redis']): void
  close (): Promise<void>
}

/**
 * Build the stores that the options require. No connection is awaited: a store that is unavailable at start is handled
 * like one that fails later.
 *
 * `processClock`: measures calls to a store. Limits are counted by the clock of the options, if there is one.
 */
export async function buildBackend (
  registration: string, options: ResolvedOptions, processClock: Clock, hooks: BackendHooks
): Promise<Backend> {
  const clock = options.clock ?? processClock
  const local = new MemoryStore({
    clock,
    maxKeys: options.memory.maxKeys,
    onOverflow () {
      hooks.metrics?.countMemoryOverflow()
      hooks.faults.reportLazy('memory', () => new FST_SLUICE_MEMORY_FULL('memory.maxKeys'))
    }
  })
  const { redis, store } = options
  const createGuard = (kind: string) => createStoreGuard(kind, registration, options, processClock, hooks)
  if (redis !== undefined && redis !== false) return await createRedisBackend(options, redis, local, processClock, createGuard('redis'))
  if (store !== undefined) return createCustomBackend(options, store, local, processClock, createGuard(store.kind))
  return createMemoryBackend(options, local, clock)
}

/** What only Redis has. */
const WITHOUT_REDIS = { leaseObstacle: 'no-redis', leaseCounters: null, board: null, setCredentials () {} } as const

function createMemoryBackend ({ deadline: deadlineMs }: ResolvedOptions, local: MemoryStore, clock: Clock): Backend {
  return {
    store: local,
    local,
    knownBlock: () => null,
    blocks: () => local.blocks(),
    ...WITHOUT_REDIS,
    forgetRefusals () {},
    health: { kind: local.kind, location: null, clock, ping: () => local.ping(), deadlineMs, breaker: null, lastError: () => null },
    close: async () => { local.close() }
  }
}

async function createRedisBackend (
  options: ResolvedOptions, option: RedisTarget, local: MemoryStore, clock: Clock, guard: StoreGuard
): Promise<Backend> {
  // Imported only when Redis is used: an application on the memory store does not load ioredis.
  const { connect } = await import('../stores/redis/connect.js')
  const { Authenticator } = await import('../stores/redis/authenticator.js')
  const { RedisStore } = await import('../stores/redis/redis-store.js')
  const { SummaryBoard } = await import('../stores/redis/summary-board.js')
  const { target, credentials } = splitRedisTarget(option)
  const authenticator = new Authenticator(credentials, (code) => { guard.onFailure('connection', code) })
  const connectOptions = { connections: options.connections, deadlineMs: guard.deadlineMs, clock, authenticator }
  const pool = connect(target, connectOptions, { onReady: () => { redis.resume() }, onUnreachable: guard.onUnreachable })
  const redis = new RedisStore({
    pool,
    callGuard: guard.callGuard,
    keyPrefix: options.keyPrefix,
    maxPending: options.maxPending,
    inFlight: local.inFlight,
    clock,
    onAnswer: guard.onAnswer,
    onFailure: guard.onFailure,
    onSlotsEnforced: guard.onSlotsEnforced
  })
  // What Redis has refused stays refused by the time of Redis, which no other clock moves.
  const cached = new DenyCache(redis, clock, guard.maxDenialUs)
  const backend: Backend = withDenyCache(cached, local, clock, guard)
  const leased: Backend = pool.maySendTwice
    ? { ...backend, leaseObstacle: 'client-resends' }
    : { ...backend, ...await withLeases({ store: cached, source: redis, clock, maxPending: options.maxPending }, backend) }
  return {
    ...leased,
    store: new LocalSlots(leased.store, local.inFlight, 'adaptive'),
    board: new SummaryBoard({ pool, keyPrefix: options.keyPrefix, registration: guard.registration, deadlineMs: guard.deadlineMs }),
    health: {
      ...backend.health,
      location: formatRedisLocation(target),
      isConnecting: () => pool.isConnecting,
      // The cause that no connection is ready is newer than the last failed call.
      lastError: () => pool.cause ?? guard.lastError(),
      explainPing (error) {
        const code = error === null || !pool.isReady ? pool.explainDeadline() : pool.explainError(error)
        // A ping before the first connection is ready is no failure of the store.
        if (!pool.isConnecting) guard.setLastError(code)
        return code
      }
    },
    setCredentials (changed) { if (changed) authenticator.replace(splitRedisTarget(changed).credentials) }
  }
}

/** Leases over the cache of refusals. */
async function withLeases (options: LeasesOptions, { local, forgetRefusals }: Backend) {
  const { Leases } = await import('../stores/lease/leases.js')
  const leases = new Leases(options)
  return {
    store: leases,
    leaseObstacle: null,
    leaseCounters: leases.counters,
    forgetRefusals () {
      leases.endLeases()
      forgetRefusals()
    },
    async close () {
      local.close()
      await leases.close()
    }
  }
}

function createCustomBackend (
  { maxPending, clock: givenClock }: ResolvedOptions, store: Store, local: MemoryStore, clock: Clock, guard: StoreGuard
): Backend {
  const guarded = new GuardedStore({ ...guard, store, maxPending, clock })
  const backend = withDenyCache(new DenyCache(guarded, givenClock ?? clock, guard.maxDenialUs), local, clock, guard)
  return { ...backend, store: new LocalSlots(backend.store, local.inFlight, store.countsInFlight === true ? 'adaptive' : 'all') }
}

/** A remote store behind its deny cache, and an in-memory fallback. */
function withDenyCache (store: DenyCache, local: MemoryStore, clock: Clock, { callGuard, deadlineMs, lastError }: StoreGuard): Backend {
  return {
    store,
    local,
    knownBlock: (charges) => store.findKnownBlock(charges),
    * blocks () {
      yield * store.blocks()
      // Blocks that started while the store was unavailable.
      yield * local.blocks()
    },
    ...WITHOUT_REDIS,
    forgetRefusals: () => { store.clearDenials() },
    health: { kind: store.kind, location: null, clock, ping: () => store.ping(), deadlineMs, breaker: callGuard.breaker, lastError },
    async close () {
      local.close()
      await store.close()
    }
  }
}
