// The policies under load, all at once: what the instances are given, and what is promised for each.
import type { RouteRateLimit } from '../../lib/index.js'
import type { LimitPromise, PolicyPromise, TimePromise } from './promises.js'

/** A policy with its clients. */
export interface PolicyUnderLoad {
  readonly promise: PolicyPromise
  readonly options: RouteRateLimit
  /** Clients that ask as often as they can, in phases. */
  readonly greedy: number
  /** Its share of all requests of greedy clients. */
  readonly weight: number
  /** Each cost is drawn from these. */
  readonly costs?: readonly number[]
  /** The longest time that a handler takes, for some of the requests. Milliseconds. */
  readonly slowMs?: number
  /** Whether a client that waits as long as it is asked visits it too. */
  readonly isPolite?: boolean
  /** A client with so many requests per second on all instances, in phases that repeat. */
  readonly paced?: ReadonlyArray<readonly [ms: number, perSecond: number]>
}

export const DEADLINE_MS = 500
export const OPEN_FOR_MS = 500

export const TIMES: TimePromise = {
  deadlineUs: DEADLINE_MS * 1000,
  // openFor and a second.
  backUs: OPEN_FOR_MS * 1000 + 1_000_000,
  // Two deadlines and a third of them.
  silenceUs: 1_500_000
}

const HOLD_MS = 2000
/** Leased units count as used until the end of the next slot. */
const LEASE_US = 1.5 * HOLD_MS * 1000

const RULE = 'reloaded'
/** What a reload changes the rule to, in turn. */
export const RELOADED = [{ max: 20, burst: 10 }, { max: 40, burst: 20 }] as const

interface Numbers {
  readonly name?: string
  readonly max: number
  readonly windowMs: number
  readonly burst?: number
  readonly algorithm?: LimitPromise['algorithm']
  readonly by?: 'global'
}

function toPromise ({ name = 'default', max, windowMs, burst = max, algorithm = 'token-bucket', by }: Numbers, more: Partial<LimitPromise> = {}): LimitPromise {
  return { name, algorithm, max, windowUs: windowMs * 1000, burst, ...by === undefined ? {} : { isShared: true }, ...more }
}

function toOptions ([first, ...others]: readonly Numbers[]): RouteRateLimit {
  if (others.length > 0) return { limits: [first, ...others].map(({ name = 'default', windowMs, ...numbers }) => ({ ...numbers, name, timeWindow: windowMs })) }
  const { max, windowMs, burst, algorithm } = first
  return { max, timeWindow: windowMs, burst, algorithm }
}

interface Setting extends Omit<PolicyUnderLoad, 'promise' | 'options'> {
  readonly name: string
  readonly failureMode: PolicyPromise['failureMode']
  readonly limits: readonly Numbers[]
  readonly more?: Partial<LimitPromise>
  readonly penalty?: PolicyPromise['penalty']
  readonly options?: RouteRateLimit
}

function createPolicy ({ name, failureMode, limits, more, penalty, options, ...load }: Setting): PolicyUnderLoad {
  return {
    ...load,
    promise: { name, failureMode, limits: limits.map((limit) => toPromise(limit, more)), ...penalty === undefined ? {} : { penalty } },
    options: { ...toOptions(limits), failureMode, ...options }
  }
}

export const POLICIES: readonly PolicyUnderLoad[] = [
  createPolicy({
    name: 'bucket', failureMode: 'local', limits: [{ max: 40, windowMs: 1000, burst: 20 }], greedy: 4, weight: 4, costs: [1, 1, 1, 2, 3], isPolite: true
  }),
  createPolicy({
    name: 'sliding', failureMode: 'closed', limits: [{ max: 30, windowMs: 1500, algorithm: 'sliding-window' }], greedy: 4, weight: 4, costs: [1, 1, 1, 2], isPolite: true
  }),
  createPolicy({
    name: 'fixed', failureMode: 'open', limits: [{ max: 40, windowMs: 2000, algorithm: 'fixed-window' }], greedy: 4, weight: 4, costs: [1, 1, 1, 2], isPolite: true
  }),
  createPolicy({
    name: 'several',
    failureMode: 'local',
    limits: [
      { name: 'short', max: 10, windowMs: 1000, burst: 4 },
      { name: 'long', max: 40, windowMs: 5000, algorithm: 'sliding-window' },
      { name: 'all', max: 40, windowMs: 1000, burst: 30, by: 'global' }
    ],
    greedy: 8,
    weight: 5
  }),
  createPolicy({
    name: 'leased',
    failureMode: 'local',
    limits: [{ max: 100, windowMs: 1000, burst: 400 }],
    more: { leaseUs: LEASE_US },
    options: { leases: { hold: HOLD_MS } },
    greedy: 1,
    weight: 4,
    // All units are needed at once, after leases have lapsed, and while some are held.
    paced: [[2500, 50], [2500, 0], [1000, 900], [3000, 0], [2500, 50], [1000, 900]]
  }),
  createPolicy({
    name: 'penalty',
    failureMode: 'closed',
    limits: [{ max: 20, windowMs: 1000, burst: 10 }],
    penalty: { strikes: 30, withinUs: 2_000_000, maxCooldownUs: 4_000_000 },
    options: { penalty: { strikes: 30, within: 2000, cooldown: 1000, factor: 2, maxCooldown: 4000 } },
    greedy: 3,
    weight: 3
  }),
  createPolicy({
    name: 'throttled',
    failureMode: 'local',
    limits: [{ max: 20, windowMs: 1000, burst: 5 }],
    more: { maxDelayUs: 300_000 },
    options: { throttle: { maxDelay: 300, maxQueued: 1000, maxQueuedPerClient: 1000 } },
    greedy: 2,
    weight: 1
  }),
  createPolicy({
    name: 'late',
    failureMode: 'closed',
    limits: [{ max: 60, windowMs: 1000, burst: 30 }],
    options: { hook: 'preHandler' },
    greedy: 3,
    weight: 3,
    slowMs: 100,
    isPolite: true
  }),
  createPolicy({
    name: RULE,
    failureMode: 'closed',
    // Two versions at once grant the sum of both.
    limits: [{ max: RELOADED[0].max + RELOADED[1].max, windowMs: 1000, burst: RELOADED[0].burst + RELOADED[1].burst }],
    more: { least: RELOADED[0] },
    options: { ...RELOADED[0], timeWindow: 1000 },
    greedy: 3,
    weight: 3
  })
]

/** The routes with limits of their own, and the rule that a reload changes. */
export function toPluginOptions (): { readonly routes: ReadonlyArray<readonly [path: string, options: RouteRateLimit]>, readonly rule: RouteRateLimit & { readonly name: string, readonly match: string } } {
  const routes = POLICIES.filter(({ promise }) => promise.name !== RULE).map(({ promise, options }) => [`/${promise.name}`, options] as const)
  const rule = POLICIES.find(({ promise }) => promise.name === RULE)
  return { routes, rule: { name: RULE, match: `/${RULE}`, ...rule?.options } }
}
