import type { PeriodUnit } from '../algorithms/calendar.js'
import type { PeriodRule } from '../calendar/find-period.js'
import { locateSource, type Branch, type Leaf } from '../config/layers/option-tree.js'
import { badOption } from '../config/schema/check.js'
import { isTimeZone, parseInstantMs } from '../config/schema/instants.js'
import { ANCHOR_EXPECTED, CLIENT_ANCHOR, periodOptions, TIME_ZONE_EXPECTED } from '../config/schema/limit-fields.js'
import type { LimitOptions } from '../config/schema/policy-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'

/** The periods of a limit. */
export interface PeriodDraft extends PeriodRule {
  /** Whether the anchor comes from the identity of each client. */
  readonly isPerClient: boolean
}

const DAY_MS = 86_400_000

/** The longest length of each period, with days of 24 hours. */
export const LONGEST_PERIOD_MS: Readonly<Record<PeriodUnit, number>> = {
  hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS, month: 31 * DAY_MS, year: 366 * DAY_MS
}

/**
 * Parse the period of a limit; `null` for a limit by `timeWindow`.
 *
 * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION with the place.
 */
export function parsePeriod (limit: Branch, given: Omit<LimitOptions, 'name'>): PeriodDraft | null {
  const place = locateSource(limit.source)
  const { period, timeWindow, burst, by, anchor } = given
  if (period === undefined) {
    if (anchor !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.anchor`, 'belongs to a limit with a period')
    return null
  }
  if (timeWindow !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.timeWindow`, 'contradicts period; a limit has one of them')
  if (burst !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.burst`, 'belongs to a token bucket, and this limit has a period')
  if (isWrittenBeside(limit, 'algorithm', 'period')) {
    throw new FST_SLUICE_CONTRADICTION(`${place}.algorithm`, 'contradicts period, which is counted in its own way')
  }
  const isPerClient = anchor === CLIENT_ANCHOR
  if (isPerClient && (by === 'ip' || by === 'global')) {
    throw new FST_SLUICE_CONTRADICTION(`${place}.anchor`, `is that of an identified client, and this limit is by "${by}"`)
  }
  return {
    unit: period,
    timeZone: parseTimeZone(limit, given.timeZone ?? periodOptions.timeZone.default),
    anchorMs: anchor === undefined || isPerClient ? null : requireInstantMs(anchor, `${place}.anchor`),
    isPerClient
  }
}

function parseTimeZone ({ fields, source }: Branch, timeZone: string): string {
  if (isTimeZone(timeZone)) return timeZone
  const node = fields.get('timeZone')
  throw badOption(node === undefined ? locateSource(source, 'timeZone') : locateSource(node.source), TIME_ZONE_EXPECTED, timeZone)
}

function requireInstantMs (anchor: string, place: string): number {
  const ms = parseInstantMs(anchor)
  if (ms === null) throw badOption(place, ANCHOR_EXPECTED, anchor)
  return ms
}

/** Whether both options were written in one object: then neither is inherited. */
function isWrittenBeside ({ fields }: Branch, first: string, second: string): boolean {
  const [a, b] = [fields.get(first), fields.get(second)]
  return isLeaf(a) && isLeaf(b) && a.source.layer === b.source.layer && formatParent(a) === formatParent(b)
}

function isLeaf (node: unknown): node is Leaf {
  return typeof node === 'object' && node !== null && 'kind' in node && node.kind === 'leaf'
}

function formatParent ({ source: { path } }: Leaf): string {
  return path.slice(0, -1).join('.')
}
