import type { Quota } from '../lib/algorithms/quota.js'
import type { Report, StoredBucket } from './lease-store.js'

/** How a bucket loses what it knew. The bound then has one more burst, or the units that were leased. */
export type Loss = 'reset' | 'lost' | 'older' | 'old-version' | 'clock'

export interface LeaseModelOptions {
  readonly quota: Quota
  readonly gridUs: number
  readonly nodes: number
  /** The most units that a node asks for, and the most leases that it has. */
  readonly want: number
  readonly leases: number
  readonly hasReturns?: boolean
  /** Checks of several limits, and refunds to the lease. */
  readonly hasReserved?: boolean
  /** Refunds of exact takes. */
  readonly hasRefunds?: boolean
  /** Requests can arrive after their sender has stopped waiting or has crashed. */
  readonly hasLate?: boolean
  readonly losses?: readonly Loss[]
  /** How many of them. Default 1 if there are any. */
  readonly maxLosses?: number
  /** What a loss may add to the bound: see addToBound. Default `leased`. */
  readonly lossBound?: 'leased' | 'burst' | 'nothing'
  /** Steps of the clock of Redis, ticks. */
  readonly clockSteps?: readonly number[]
}

/** Units that a node may spend without asking. */
export interface Lease {
  /** Ticks until the end of its slot by the clock of Redis, and until its end by the clock of the holder. */
  slotIn: number
  endIn: number
  left: number
  unreported: number
  /** Reserved for checks that will be granted, and not yet reported. They count as granted since the reservation. */
  due: number
  /** Reserved for checks that will be refused, or spent by requests that will be refunded: the lease gets them back. */
  away: number
}

export interface Message {
  readonly kind: 'request' | 'reply'
  readonly reports: readonly Report[]
  /** Units wanted, or leased. */
  readonly units: number
  readonly slotIn: number
  readonly endIn: number
}

export interface Holder {
  leases: Lease[]
  message: Message | null
  /** A request whose sender does not wait for the reply any more. */
  late: Message | null
}

export interface State {
  /** Ticks since the last multiple of the grid. */
  phase: number
  bucket: StoredBucket | null
  /** What a replica knows, which may be behind. */
  replica: StoredBucket | null | undefined
  /** Granted units that have not drained, scaled by the denominator of the interval; or units granted in this window. */
  backlog: number
  /** Units beyond the capacity, granted by leases from before a loss, and how long they can live. */
  extra: number
  extraIn: number
  /** Losses that may still happen. */
  losses: number
  /** When the backlog that an exact take left has drained, of one that may be refunded. */
  refundableIn: number | null
  /** A window was reset at this very moment. */
  isReset: boolean
  holders: Holder[]
}

export function addReport (reports: Report[], report: Report): void {
  const at = reports.findIndex(({ slotIn }) => slotIn === report.slotIn)
  if (at < 0) reports.push(report)
  else reports[at] = { slotIn: report.slotIn, spent: reports[at].spent + report.spent, returned: reports[at].returned + report.returned }
}

export function moveMessage (message: Message | null, ticks: number): Message | null {
  if (message === null) return null
  const reports = message.reports.map((report) => ({ ...report, slotIn: report.slotIn - ticks }))
  return { ...message, reports, slotIn: message.slotIn - ticks }
}

/** A copy in which one holder can be changed, or all. The others are shared. */
export function copyState (state: State, changed: number | 'all'): State {
  const holders = state.holders.map((holder, i) => changed === 'all' || changed === i ? copyHolder(holder) : holder)
  return { ...state, holders }
}

function copyHolder ({ leases, message, late }: Holder): Holder {
  return { leases: leases.map((lease) => ({ ...lease })), message, late }
}

export function writeBucket (bucket: StoredBucket | null | undefined): string {
  if (bucket === undefined) return '?'
  return bucket === null ? '' : `${bucket.timeUs},${bucket.count},${bucket.gridUs},${bucket.slotEndUs},${bucket.apart},${bucket.apartNext}`
}

export function writeHolder ({ leases, message, late }: Holder): string {
  let text = ''
  for (const { slotIn, endIn, left, unreported, due, away } of leases) text += `${slotIn},${endIn},${left},${unreported},${due},${away}/`
  return text + writeMessage(message) + writeMessage(late)
}

function writeMessage (message: Message | null): string {
  if (message === null) return '-'
  let text = `${message.kind === 'reply' ? 'r' : 'q'}${message.units},${message.slotIn},${message.endIn}`
  for (const { slotIn, spent, returned } of message.reports) text += `(${slotIn},${spent},${returned})`
  return text
}
