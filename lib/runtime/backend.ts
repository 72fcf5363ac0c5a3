import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../common/clock.js'
import { durationMs } from '../config/schema/durations.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import { FST_SLUICE_STORE } from '../errors.js'
import type { FaultLog } from '../common/log.js'
import { logBreakerChange } from '../observability/lifecycle-events.js'
import type { HealthSource } from '../observability/health.js'
import type { Metrics } from '../observability/metrics/metrics.js'
import type { StoreOperation } from '../observability/metrics/store-metrics.js'
import { CallGuard } from '../resilience/call-guard.js'
import { DenyCache } from '../resilience/deny-cache.js'
import { GuardedStore } from '../resilience/guarded-store.js'
import { MemoryStore } from '../stores/memory/store.js'
import type { Charge, FailureReason, ActiveBlock, Receipt, Store } from '../stores/store.js'

/** The stores of a registration, and what is known of their health. */
export interface Backend {
  /** Where decisions are made. */
  readonly store: Store
  /** Where they are made while the store cannot answer. */
  readonly local: MemoryStore
  /** The refusal of whom the store is known to block. */
  knownBlock (charges: readonly Charge[]): Receipt | null
  /** The blocks that this process knows of, in no order; some may have been lifted, and one may be there twice. */
  blocks (): Iterable<ActiveBlock>
  /** Forget refusals that were remembered, for their limits are no more. */
  forgetRefusals (): void
  readonly health: HealthSource
  close (): Promise<void>
}

/** Who hears of what happens to the stores. */
export interface BackendHooks {
  readonly log: FastifyBaseLogger
  readonly faults: FaultLog
  readonly metrics: Metrics | null
}

const DEADLINE_MS = 50
const KEY_PREFIX = 'sluice:'
const MAX_PENDING = 10_000
const CONNECTIONS = 1
const BREAKER = { failures: 5, within: '10s', openFor: '5s' } as const

/** Build the stores that the options ask for. Nothing waits for a connection: losing a store at start is no different from losing it later. */
export async function buildBackend (registration: string, options: RateLimitOptions, clock: Clock, hooks: BackendHooks): Promise<Backend> {
  const local = new MemoryStore({ clock, maxKeys: options.memory?.maxKeys })
  if (options.redis !== undefined) return await createRedisBackend(options, options.redis, local, clock, createStoreGuard('redis', registration, options, clock, hooks))
  if (options.store !== undefined) return createCustomBackend(options, options.store, local, clock, createStoreGuard(options.store.kind, registration, options, clock, hooks))
  return createMemoryBackend(local, clock)
}

function createMemoryBackend (local: MemoryStore, clock: Clock): Backend {
  return {
    store: local,
    local,
    knownBlock: () => null,
    blocks: () => local.blocks(),
    forgetRefusals () {},
    health: { kind: local.kind, clock, ping: () => local.ping(), deadlineMs: DEADLINE_MS, breaker: null, lastError: () => null },
    close: async () => { local.close() }
  }
}

async function createRedisBackend (options: RateLimitOptions, target: NonNullable<RateLimitOptions['redis']>, local: MemoryStore, clock: Clock, guard: StoreGuard): Promise<Backend> {
  // Loaded only where it is asked for: an application on the memory store pays nothing for ioredis.
  const { connect } = await import('../stores/redis/connect.js')
  const { RedisStore } = await import('../stores/redis/redis-store.js')
  const link = connect(target, options.connections ?? CONNECTIONS, () => { redis.resume() }, guard.deadlineMs)
  const redis = new RedisStore({
    pool: link,
    callGuard: guard.callGuard,
    keyPrefix: options.keyPrefix ?? KEY_PREFIX,
    maxPending: options.maxPending ?? MAX_PENDING,
    clock,
    onAnswer: guard.onAnswer,
    onFailure: guard.onFailure
  })
  return withDenyCache(redis, local, clock, guard)
}

function createCustomBackend ({ maxPending = MAX_PENDING }: RateLimitOptions, store: Store, local: MemoryStore, clock: Clock, guard: StoreGuard): Backend {
  return withDenyCache(new GuardedStore({ ...guard, store, maxPending, clock }), local, clock, guard)
}

/** The watch over a store that can fail, and what is known of its failures. */
interface StoreGuard {
  readonly callGuard: CallGuard
  readonly deadlineMs: number
  readonly onAnswer: (operation: StoreOperation, tookUs: number) => void
  readonly onFailure: (reason: FailureReason, code: string, cause?: unknown) => void
  readonly lastError: () => string | null
}

function createStoreGuard (kind: string, registration: string, options: RateLimitOptions, clock: Clock, { log, faults, metrics }: BackendHooks): StoreGuard {
  const deadlineMs = options.deadline ?? DEADLINE_MS
  const storeMetrics = metrics?.getStore(kind)
  let lastError: string | null = null
  return {
    callGuard: new CallGuard(deadlineMs, breakerOptions(options), clock, (state) => {
      logBreakerChange(log, { registration, store: kind, state, lastError })
    }),
    deadlineMs,
    onAnswer: (operation, tookUs) => { storeMetrics?.observe(operation, tookUs / 1_000_000) },
    onFailure (reason, code, cause) {
      lastError = code
      storeMetrics?.countError(reason)
      faults.reportLazy('store', () => new FST_SLUICE_STORE(reason, code, { cause }))
    },
    lastError: () => lastError
  }
}

/** A store that can be away, behind a cache of its refusals, and the memory for that time. */
function withDenyCache (remote: Store, local: MemoryStore, clock: Clock, { callGuard, deadlineMs, lastError }: StoreGuard): Backend {
  const store = new DenyCache(remote, clock)
  return {
    store,
    local,
    knownBlock: (charges) => store.findKnownBlock(charges),
    * blocks () {
      yield * store.blocks()
      // Those of the time in which the store could not be asked.
      yield * local.blocks()
    },
    forgetRefusals: () => { store.clearDenials() },
    health: { kind: remote.kind, clock, ping: () => remote.ping(), deadlineMs, breaker: callGuard.breaker, lastError },
    async close () {
      local.close()
      await store.close()
    }
  }
}

/** When to come back after a refusal for want of a store, whole seconds. */
export function retryUnavailableSeconds (options: RateLimitOptions): number {
  return Math.ceil(breakerOptions(options).openForMs / 1000)
}

function breakerOptions ({ breaker }: RateLimitOptions) {
  return {
    failures: breaker?.failures ?? BREAKER.failures,
    withinMs: durationMs(breaker?.within ?? BREAKER.within) ?? 10_000,
    openForMs: durationMs(breaker?.openFor ?? BREAKER.openFor) ?? 5000
  }
}
