import type { LineCounts } from '../log/log-entries.js'
import { DemandDistribution, type Advice, type Peaks } from '../stats/advice.js'
import type { Flip, Flips, FormatClient } from '../stats/flips.js'
import type { LimitTally, RequestCount } from '../stats/limit-tally.js'
import type { ReplayOutcome, Tally } from '../stats/tally.js'

const MAX_LISTED = 20

/** A client that demanded at most this multiple of its limit is probably an honest one. */
const HONEST_EXCESS = 2

/** Requests, those refused, and their share: 0 to 1. */
export interface CountedShare extends Readonly<RequestCount> {
  readonly share: number
}

export interface ClientReport {
  readonly client: string
  /** `null`: of some requests before the first refusal it is not known that they were of this client. */
  readonly requests: number | null
  readonly refused: number
  /** How much too high `refused` may be. */
  readonly error: number
  /** The highest demand in a window of the limit, and what that allows; `null` without one. */
  readonly peak: number | null
  readonly allowed: number | null
  readonly limit: string | null
}

export interface LimitReport extends CountedShare {
  readonly rule: string | null
  readonly tier: string | null
  readonly limit: string
  readonly mode: 'enforce' | 'shadow'
  readonly algorithm: string
  readonly max: number
  readonly burst: number
  readonly timeWindowMs: number
  readonly peaks: Peaks | null
  readonly advice: readonly Advice[]
}

/** The effects of one configuration on a log. */
export interface EffectReport {
  readonly config: string | null
  readonly outcomes: Readonly<Record<ReplayOutcome, number>>
  /** Of all requests in the log. */
  readonly requests: CountedShare
  /** Of all clients that a limit applies to. `sampled`: the share of clients that the numbers are estimated from. */
  readonly clients: {
    readonly count: number, readonly refused: number, readonly share: number, readonly probablyHonest: number, readonly sampled: number
  }
  readonly limits: readonly LimitReport[]
  readonly routes: ReadonlyArray<{ readonly route: string, readonly refused: number, readonly error: number }>
  readonly tiers: ReadonlyArray<CountedShare & { readonly tier: string }>
  readonly hours: ReadonlyArray<CountedShare & { readonly hour: string }>
  readonly topClients: readonly ClientReport[]
}

export interface FlipReport {
  readonly newlyRefused: number
  readonly newlyAllowed: number
  readonly routes: ReadonlyArray<{ readonly route: string, readonly flips: number }>
  readonly clients: ReadonlyArray<{ readonly client: string, readonly flips: number }>
  /** The first ones. */
  readonly first: ReadonlyArray<Omit<Flip, 'client'> & { readonly client: string }>
}

/** The output of `simulate --json`. Fields may be added, but must not be removed or change their meaning. */
export interface SimulationReport {
  /** `false` if a share is above the one of `--fail-over`. */
  readonly ok: boolean
  readonly log: LineCounts & LogReport
  readonly warnings: readonly string[]
  readonly config: EffectReport
  readonly against: EffectReport | null
  readonly flips: FlipReport | null
}

export interface LogReport {
  readonly files: readonly string[]
  /** Times of the first and the last request, ISO 8601; `null` without requests. */
  readonly from: string | null
  readonly to: string | null
  /** Requests whose line came too late to be put in order. */
  readonly late: number
  /** Requests that the log itself shows as refused, by status 429. */
  readonly refusedThen: number
}

/** `shares`: of clients that may be refused, for the advice. */
export function buildEffectReport (
  config: string | null, tally: Tally, shares: readonly number[], formatClient: FormatClient
): EffectReport {
  const { outcomes, refusedRoutes } = tally
  const requests = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
  return {
    config,
    outcomes,
    requests: toShare({ requests, refused: outcomes.rejected + outcomes.blocked }),
    clients: countClients(tally),
    limits: [...tally.limits.values()].map((limit) => toLimitReport(limit, new DemandDistribution(limit, tally), shares)),
    routes: refusedRoutes.top(MAX_LISTED).map(({ key, count, error }) => ({ route: key, refused: count, error })),
    tiers: Array.from(tally.tiers, ([tier, counts]) => ({ tier, ...toShare(counts) })),
    hours: [...tally.hours].sort(([a], [b]) => a - b).map(([hour, counts]) => ({ hour: formatHour(hour), ...toShare(counts) })),
    topClients: listClients(tally, formatClient)
  }
}

export function buildFlipReport (flips: Flips, formatClient: FormatClient): FlipReport {
  return {
    newlyRefused: flips.newlyRefused,
    newlyAllowed: flips.newlyAllowed,
    routes: flips.routes.top(MAX_LISTED).map(({ key, count }) => ({ route: key, flips: count })),
    clients: flips.clients.top(MAX_LISTED).map(({ key, count }) => ({ client: formatClient(key), flips: count })),
    first: flips.shown.map(({ client, ...flip }) => ({ ...flip, client: formatClient(client) }))
  }
}

function countClients ({ clients, table }: Tally): EffectReport['clients'] {
  const { share: sampled } = clients
  let count = 0
  let refused = 0
  let honest = 0
  for (const number of clients.values()) {
    const client = table.getClient(number)
    if (client.requests > 0) count++
    if (client.refused === 0) continue
    refused++
    if (client.excess <= HONEST_EXCESS) honest++
  }
  const toWhole = (counted: number) => Math.round(counted / sampled)
  return {
    count: toWhole(count),
    refused: toWhole(refused),
    share: count === 0 ? 0 : refused / count,
    probablyHonest: toWhole(honest),
    sampled
  }
}

function toLimitReport (tally: LimitTally, distribution: DemandDistribution, shares: readonly number[]): LimitReport {
  const { rule, tier, limit } = tally
  return {
    ...toShare(tally),
    rule,
    tier,
    limit: limit.name,
    mode: limit.mode,
    algorithm: limit.algorithm,
    max: limit.max,
    burst: limit.capacity,
    timeWindowMs: limit.windowUs / 1000,
    peaks: distribution.peaks(),
    advice: shares.map((share) => distribution.advise(share)).filter((advice) => advice !== null)
  }
}

function listClients ({ refusedClients, table, limits }: Tally, formatClient: FormatClient): ClientReport[] {
  const byIndex = [...limits.values()]
  return refusedClients.top(MAX_LISTED).map(({ key: { client, number, isComplete }, count, error }) => {
    const tally = table.getClient(number)
    const limit = tally.limit === null ? null : byIndex[tally.limit].limit
    return {
      client: formatClient(client),
      requests: isComplete ? tally.requests : null,
      refused: count,
      error,
      peak: limit === null ? null : tally.peak,
      allowed: limit === null ? null : Math.max(limit.max, limit.capacity),
      limit: limit?.name ?? null
    }
  })
}

function toShare ({ requests, refused }: Readonly<RequestCount>): CountedShare {
  return { requests, refused, share: requests === 0 ? 0 : refused / requests }
}

/** `2026-01-31T13:00Z`. */
function formatHour (hour: number): string {
  return `${new Date(hour * 3_600_000).toISOString().slice(0, 16)}Z`
}
