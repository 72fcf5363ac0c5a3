import { formatDuration } from '../../../common/format-duration.js'
import { alignRows } from '../../common/table.js'
import type { ClientReport, CountedShare, EffectReport, FlipReport, LimitReport, SimulationReport } from './report.js'

const MAX_ROWS = 10
const MAX_HOURS = 48

const CLIENT_HEADINGS = ['CLIENT', 'REQUESTS', 'REFUSED', 'PEAK', 'ALLOWED', 'OVER', 'LIMIT']
const PEAK_HEADINGS = ['LIMIT', 'CLIENTS', '50 %', '90 %', '99 %', '99.9 %', 'HIGHEST']
const ADVICE_HEADINGS = ['LIMIT', 'SHARE', 'MAX', 'OR BURST, WITH THE PRESENT MAX']

/** The report as lines for a terminal. */
export function formatText ({ log, warnings, config, against, flips }: SimulationReport): string[] {
  const { lines, requests, others, bad, shown, from, to, late, refusedThen } = log
  return [
    `${formatCount(lines)} lines: ${formatCount(requests)} requests, ${formatCount(others)} other lines, ` +
      `${formatCount(bad)} not understood`,
    ...(from === null || to === null ? [] : [`from ${from} to ${to}`]),
    ...(refusedThen === 0 ? [] : [`${formatCount(refusedThen)} requests were refused then, by status 429`]),
    ...(late === 0 ? [] : [`${formatCount(late)} requests came too late to be put in order; see --reorder`]),
    ...shown.map(({ line, text }) => `  line ${line} is not understood: ${text}`),
    ...warnings.map((warning) => `warning: ${warning}`),
    ...formatEffect(config),
    ...(against === null ? [] : formatSummary('Compared with', against)),
    ...(flips === null ? [] : formatFlips(flips))
  ]
}

function formatEffect (effect: EffectReport): string[] {
  const { limits, routes, tiers, hours, topClients } = effect
  return [
    ...formatSummary('Policies of', effect),
    ...section('By limit', ['LIMIT', 'ALLOWS', 'REQUESTS', 'REFUSED', 'SHARE'], limits.map((limit) => [
      nameLimit(limit), describeNumbers(limit), formatCount(limit.requests), formatCount(limit.refused), formatShare(limit.share)
    ])),
    ...section('Refused most, by route', ['ROUTE', 'REFUSED'], routes.slice(0, MAX_ROWS).map(({ route, refused }) => {
      return [route, formatCount(refused)]
    })),
    ...section('By tier', ['TIER', 'REQUESTS', 'REFUSED', 'SHARE'], tiers.map(({ tier, ...counts }) => [tier, ...formatCounts(counts)])),
    ...section(...formatHours(hours)),
    ...section('Refused most, by client', CLIENT_HEADINGS, topClients.slice(0, MAX_ROWS).map((client) => [
      client.client,
      client.requests === null ? '' : formatCount(client.requests),
      `${client.error === 0 ? '' : '<= '}${formatCount(client.refused)}`,
      client.peak === null ? '' : formatCount(client.peak),
      client.allowed === null ? '' : formatCount(client.allowed),
      formatExcess(client),
      client.limit ?? ''
    ])),
    ...section('Highest demand of each client in one window', PEAK_HEADINGS, limits.flatMap((limit) => {
      const { peaks } = limit
      if (peaks === null) return []
      const { clients, p50, p90, p99, p999, highest } = peaks
      return [[nameLimit(limit), ...[clients, p50, p90, p99, p999, highest].map(formatCount)]]
    })),
    ...section('To refuse at most this share of clients, set either', ADVICE_HEADINGS, limits.flatMap((limit) => {
      return limit.advice.map(({ share, max, burst }) => [
        nameLimit(limit), formatShare(share), formatCount(max), burst === null ? '' : formatCount(burst)
      ])
    }))
  ]
}

function formatSummary (title: string, { config, outcomes, requests, clients }: EffectReport): string[] {
  const { count, refused, share, probablyHonest, sampled } = clients
  return [
    '',
    `${title} ${config ?? 'the built-in defaults'}`,
    `  requests refused: ${formatCount(requests.refused)} of ${formatCount(requests.requests)} (${formatShare(requests.share)})`,
    `  clients refused at least once: ${formatCount(refused)} of ${formatCount(count)} (${formatShare(share)}); ` +
      `${formatCount(probablyHonest)} of them asked for at most twice what is allowed`,
    ...(sampled === 1 ? [] : [`  estimated from ${formatShare(sampled)} of the clients`]),
    `  ${Object.entries(outcomes).map(([outcome, number]) => `${outcome} ${formatCount(number)}`).join(', ')}`
  ]
}

function formatHours (hours: EffectReport['hours']): [title: string, headings: readonly string[], rows: string[][]] {
  const busiest = hours.toSorted((a, b) => b.refused - a.refused).slice(0, MAX_HOURS)
  const shown = hours.length <= MAX_HOURS ? hours : hours.filter((hour) => busiest.includes(hour))
  const title = hours.length <= MAX_HOURS ? 'By hour' : `By hour, the ${MAX_HOURS} with the most refusals`
  return [title, ['HOUR', 'REQUESTS', 'REFUSED', 'SHARE'], shown.map(({ hour, ...counts }) => [hour, ...formatCounts(counts)])]
}

function formatFlips ({ newlyRefused, newlyAllowed, routes, first }: FlipReport): string[] {
  return [
    '',
    `Decided differently: ${formatCount(newlyRefused)} newly refused, ${formatCount(newlyAllowed)} newly allowed`,
    ...section('Decided differently, by route', ['ROUTE', 'REQUESTS'], routes.slice(0, MAX_ROWS).map(({ route, flips }) => {
      return [route, formatCount(flips)]
    })),
    ...section('The first ones', ['LINE', 'TIME', 'CLIENT', 'REQUEST', 'BEFORE', 'AFTER'], first.map((flip) => [
      String(flip.line), flip.time, flip.client, flip.request,
      formatOutcome(flip.before, flip.beforeLimit), formatOutcome(flip.after, flip.afterLimit)
    ]))
  ]
}

function formatOutcome (outcome: string, limit: string | null): string {
  return limit === null ? outcome : `${outcome} (${limit})`
}

function section (title: string, headings: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] {
  return rows.length === 0 ? [] : ['', title, ...alignRows([headings, ...rows]).map((line) => `  ${line}`)]
}

function formatExcess ({ peak, allowed }: ClientReport): string {
  return peak === null || allowed === null || allowed === 0 ? '' : `${(peak / allowed).toFixed(1)} x`
}

function formatCounts ({ requests, refused, share }: CountedShare): string[] {
  return [formatCount(requests), formatCount(refused), formatShare(share)]
}

/** `rule login: per-user, tier premium, shadow` */
export function nameLimit ({ rule, tier, limit, mode }: LimitReport): string {
  const parts = [rule === null ? limit : `${rule}: ${limit}`]
  if (tier !== null) parts.push(`tier ${tier}`)
  if (mode === 'shadow') parts.push('shadow')
  return parts.join(', ')
}

/** `100 per minute, burst 20` */
export function describeNumbers ({ max, burst, timeWindowMs }: LimitReport): string {
  if (max === 0) return 'nothing'
  return `${formatCount(max)} per ${formatDuration(timeWindowMs).replace(/^1 /, '')}${burst === max ? '' : `, burst ${formatCount(burst)}`}`
}

/** Digits in groups of three. */
export function formatCount (number: number): string {
  return Math.round(number).toLocaleString('en-US').replaceAll(',', ' ')
}

/** Per cent, with three digits. */
export function formatShare (share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
