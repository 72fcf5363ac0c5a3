import { toPrintable } from '../../common/printable.js'
import type { Limit } from '../../stores/store.js'
import { isConcurrency } from '../../stores/store.js'
import type { ClientLabeler } from '../refusal-log/client-label.js'
import { encodeCounts } from './encode-counts.js'
import { BOUND, findCapacity, FIRST_TENTH, REFUSALS, type LimitsTraffic, type LimitTraffic } from './limit-traffic.js'
import { ALLOWED, OTHER, REFUSED, UNCHECKED, type OutcomeCounts, type Series } from './outcome-counts.js'
import type { TopClients } from './top-clients.js'
import {
  MAX_SUMMARY_BYTES, type ClientSummary, type LimitSummary, type SeriesSummary, type TrafficSummary
} from './traffic-summary.js'

const MAX_SERIES = 20
const MAX_ROUTE_LENGTH = 200

// What a part leaves, the series get. They need 6500 bytes for the one with the others, if all of its counts differ.
const LIMITS_BYTES = 3200
const CLIENTS_BYTES = 3900
/** A limit whose scope is a long path is left out: it would take the room of all others. */
const MAX_LIMIT_BYTES = 800
/** The rest of the JSON. */
const FRAME_BYTES = 200

/** The unit of `window` in a summary of a concurrency limit. */
export const CONCURRENCY = 'concurrency'

export interface Counted {
  readonly step: number
  readonly outcomes: OutcomeCounts
  readonly limits: LimitsTraffic
  readonly sampled: number
  readonly clients: TopClients
  readonly labelClient: ClientLabeler
}

/** A summary in at most `MAX_SUMMARY_BYTES`: of each part what was used most. */
export function summarizeTraffic ({ step, outcomes, limits, sampled, clients, labelClient }: Counted): TrafficSummary {
  const limitParts = fit(summarizeLimits(limits).filter((part) => measure(part) < MAX_LIMIT_BYTES), LIMITS_BYTES)
  const { parts, unlisted } = summarizeClients(clients, labelClient)
  const rest = MAX_SUMMARY_BYTES - FRAME_BYTES - measure(limitParts) - measure(parts)
  return { version: 1, step, series: summarizeSeries(outcomes, step, rest), limits: limitParts, sampled, clients: parts, unlisted }
}

function summarizeLimits (limits: LimitsTraffic): LimitSummary[] {
  return Array.from(limits, (one) => ({ one, sums: one.counts.sum() }))
    .sort((a, b) => b.sums[REFUSALS] - a.sums[REFUSALS] || b.sums[BOUND] - a.sums[BOUND])
    .map(({ one, sums }) => summarizeLimit(one, sums))
}

function summarizeLimit ({ limit, usage, sample }: LimitTraffic, sums: readonly number[]): LimitSummary {
  return [
    limit.bucket, limit.mode, isConcurrency(limit) ? findCapacity(limit) : limit.max, describeWindow(limit),
    usage === null ? null : Math.max(0, usage.inFlight), sample === null ? 0 : 1, sums[REFUSALS], sums[BOUND], sums.slice(FIRST_TENTH)
  ]
}

function describeWindow (limit: Limit): number | string {
  if (isConcurrency(limit)) return CONCURRENCY
  return limit.calendar === null ? limit.windowUs / 1000 : limit.calendar.unit
}

/** The clients that use most and those that exceed most, by turns. */
function summarizeClients (clients: TopClients, labelClient: ClientLabeler) {
  const all = clients.list().sort((a, b) => b.requests - a.requests)
  const exceeding = all.filter(({ refused }) => refused > 0).sort((a, b) => b.refused - a.refused)
  const chosen = new Set(all.flatMap((client, index) => [client, ...exceeding.slice(index, index + 1)]))
  const parts = fit(Array.from(chosen, ({ client, requests, refused, error, lastStep }): ClientSummary => {
    const label = labelClient(client)
    return [label, label !== client.partition && label.startsWith(`${client.kind}#`) ? 1 : 0, requests, refused, error, lastStep]
  }), CLIENTS_BYTES)
  const [maxRequests, maxRefused] = clients.unlisted
  // Those that did not fit are unlisted too.
  const left = [...chosen].slice(parts.length)
  const requests = Math.max(maxRequests, ...left.map((client) => client.requests))
  return { parts, unlisted: [requests, Math.min(requests, Math.max(maxRefused, ...left.map((client) => client.refused)))] as const }
}

interface Columns {
  readonly allowed: number[]
  readonly refused: number[]
  readonly unchecked: number[]
}

/** The busiest series that fit, and the sum of the others. */
function summarizeSeries ({ series, other }: OutcomeCounts, step: number, bytes: number): SeriesSummary[] {
  const sorted = series.map((one) => ({ one, total: one.counts.cells.reduce((sum, count) => sum + count, 0) }))
    .filter(({ total }) => total > 0)
    .sort((a, b) => b.total - a.total)
    .map(({ one }) => one)
  const shown = sorted.slice(0, MAX_SERIES).map((one) => toSummary(toPrintable(one.route, MAX_ROUTE_LENGTH), one.tier, readColumns(one, step)))
  const rest = readColumns(other, step)
  for (const one of sorted.slice(MAX_SERIES)) addColumns(rest, readColumns(one, step))
  let all = [...shown, ...summarizeOther(rest)]
  while (shown.length > 0 && measure(all) > bytes) {
    shown.pop()
    addColumns(rest, readColumns(sorted[shown.length], step))
    all = [...shown, ...summarizeOther(rest)]
  }
  return all
}

function summarizeOther (columns: Columns): SeriesSummary[] {
  const summary = toSummary(OTHER, OTHER, columns)
  return summary[2] + summary[3] + summary[4] === '' ? [] : [summary]
}

function toSummary (route: string, tier: string, { allowed, refused, unchecked }: Columns): SeriesSummary {
  return [route, tier, encodeCounts(allowed), encodeCounts(refused), encodeCounts(unchecked)]
}

function readColumns ({ counts }: Series, step: number): Columns {
  return { allowed: counts.read(ALLOWED, step), refused: counts.read(REFUSED, step), unchecked: counts.read(UNCHECKED, step) }
}

function addColumns (sum: Columns, { allowed, refused, unchecked }: Columns): void {
  allowed.forEach((count, index) => { sum.allowed[index] += count })
  refused.forEach((count, index) => { sum.refused[index] += count })
  unchecked.forEach((count, index) => { sum.unchecked[index] += count })
}

/** The first parts that fit together; a part that is too long ends the list. */
function fit<Part> (parts: readonly Part[], bytes: number): Part[] {
  let left = bytes
  const end = parts.findIndex((part) => {
    left -= measure(part) + 1
    return left < 0
  })
  return end < 0 ? [...parts] : parts.slice(0, end)
}

function measure (value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
