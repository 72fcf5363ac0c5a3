import { toPrintable } from '../../common/printable.js'
import type { Limit } from '../../stores/store.js'
import { isConcurrency } from '../../stores/store.js'
import type { ClientLabeler } from '../refusal-log/client-label.js'
import { encodeCounts } from './encode-counts.js'
import { BOUND, findCapacity, FIRST_TENTH, REFUSALS, type LimitsTraffic, type LimitTraffic } from './limit-traffic.js'
import { ALLOWED, createSeries, OTHER, REFUSED, UNCHECKED, type OutcomeCounts, type Series } from './outcome-counts.js'
import { orderByTurns, type TopClients } from './top-clients.js'
import {
  MAX_SUMMARY_BYTES, type ClientSummary, type LimitSummary, type SeriesSummary, type TrafficSummary
} from './traffic-summary.js'

const MAX_SERIES = 20
const MAX_ROUTE_LENGTH = 200

// What a part leaves, the series get. They need 6500 bytes for the one with the others, if all of its counts differ.
const LIMITS_BYTES = 3200
const CLIENTS_BYTES = 3900
/** A limit whose scope is a long path is left out: it would take the room of all others. */
const MAX_BUCKET_BYTES = 600
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
  const limitParts = summarizeLimits(limits)
  const { parts, unlisted } = summarizeClients(clients, labelClient)
  const rest = MAX_SUMMARY_BYTES - FRAME_BYTES - measure(limitParts) - measure(parts)
  return { version: 1, step, series: summarizeSeries(outcomes, step, rest), limits: limitParts, sampled, clients: parts, unlisted }
}

function summarizeLimits (limits: LimitsTraffic): LimitSummary[] {
  const sorted = Array.from(limits, (one) => ({ one, sums: one.counts.sum() }))
    .filter(({ one }) => measure(one.limit.bucket) <= MAX_BUCKET_BYTES)
    .sort((a, b) => b.sums[REFUSALS] - a.sums[REFUSALS] || b.sums[BOUND] - a.sums[BOUND])
  return fit(sorted, LIMITS_BYTES, ({ one, sums }) => summarizeLimit(one, sums))
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

function summarizeClients (clients: TopClients, labelClient: ClientLabeler) {
  const ordered = orderByTurns(clients.list())
  const parts = fit(ordered, CLIENTS_BYTES, ({ client, requests, refused, error, lastStep }): ClientSummary => {
    const label = labelClient(client)
    return [label, label !== client.partition && label.startsWith(`${client.kind}#`) ? 1 : 0, requests, refused, error, lastStep]
  })
  const [maxRequests, maxRefused] = clients.unlisted
  // Those that did not fit are unlisted too.
  const left = ordered.slice(parts.length)
  const requests = Math.max(maxRequests, ...left.map((client) => client.requests))
  return { parts, unlisted: [requests, Math.min(requests, Math.max(maxRefused, ...left.map((client) => client.refused)))] as const }
}

/** The busiest series that fit, and the sum of the others. */
function summarizeSeries ({ series, other }: OutcomeCounts, step: number, bytes: number): SeriesSummary[] {
  const sorted = series.map((one) => ({ one, total: one.counts.sum().reduce((sum, count) => sum + count) }))
    .filter(({ total }) => total > 0)
    .sort((a, b) => b.total - a.total)
    .map(({ one }) => one)
  const rest = createSeries(OTHER, OTHER)
  for (const one of [other, ...sorted.slice(MAX_SERIES)]) rest.counts.add(one.counts)
  const shown = sorted.slice(0, MAX_SERIES).map((one) => toSummary(one, step))
  let last = toSummary(rest, step)
  let left = bytes - shown.reduce((sum, part) => sum + measure(part) + 1, 0)
  while (measure(last) > left) {
    const dropped = shown.pop()
    if (dropped === undefined) break
    left += measure(dropped) + 1
    rest.counts.add(sorted[shown.length].counts)
    last = toSummary(rest, step)
  }
  return last[2] + last[3] + last[4] === '' ? shown : [...shown, last]
}

function toSummary ({ route, tier, counts }: Series, step: number): SeriesSummary {
  const encode = (column: number) => encodeCounts(counts.read(column, step))
  return [toPrintable(route, MAX_ROUTE_LENGTH), tier, encode(ALLOWED), encode(REFUSED), encode(UNCHECKED)]
}

/** The parts of the first items that fit together. */
function fit<Item, Part> (items: Iterable<Item>, bytes: number, toPart: (item: Item) => Part): Part[] {
  const parts: Part[] = []
  let left = bytes
  for (const item of items) {
    const part = toPart(item)
    left -= measure(part) + 1
    if (left < 0) break
    parts.push(part)
  }
  return parts
}

function measure (value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}
