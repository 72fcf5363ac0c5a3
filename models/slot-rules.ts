import {
  assessReported, dropEndedHolders, enterReport, takeReported, type SlotHolder, type SlotReport
} from '../lib/algorithms/concurrency.js'

/** What decides in the model: the functions that the scripts in Redis are twins of, and the rules of a process that holds slots. */
export interface Rules {
  readonly drop: typeof dropEndedHolders
  readonly enter: typeof enterReport
  readonly assess: typeof assessReported
  readonly take: typeof takeReported
  /** Whether an entry without slots stays until its lease ends. `isOwn`: it is the one of the report. */
  readonly isKept: (isOwn: boolean, isAskedFor: boolean) => boolean
  /** The slots of a report. */
  readonly count: (held: number, pending: number) => number
  /** The slots that a process still holds after it gave one back. */
  readonly release: (held: number) => number
  /** Whether a check without an answer may still be executed, so that the slots are reported again. */
  readonly isUncertain: boolean
  /** Whether the reply to a report shows that such a check comes too late. */
  readonly endsDoubt: (isKept: boolean) => boolean
}

export const RULES: Rules = {
  drop: dropEndedHolders,
  enter: enterReport,
  assess: assessReported,
  take: takeReported,
  isKept: (isOwn, isAskedFor) => !isOwn || isAskedFor,
  count: (held, pending) => held + pending,
  release: (held) => held - 1,
  isUncertain: true,
  endsDoubt: (isKept) => isKept
}

function findHolder (holders: readonly SlotHolder[], { instance }: SlotReport): SlotHolder | undefined {
  return holders.find((holder) => holder.instance === instance)
}

/** Rules that break the bound. Each replaces one rule. */
export const WRONG_RULES = {
  'no expiry': { drop: (holders) => [...holders] },
  'a lease ends too early': {
    enter: (holders, report, nowUs) => enterReport(holders, { ...report, leaseUs: report.leaseUs - 1 }, nowUs)
  },
  'a lease lasts too long': {
    enter: (holders, report, nowUs) => enterReport(holders, { ...report, leaseUs: report.leaseUs + 1 }, nowUs)
  },
  'the number of a report is not compared': {
    enter: (holders, report, nowUs) => {
      const known = findHolder(holders, report)
      if (known !== undefined) known.sequence = 0
      return enterReport(holders, report, nowUs)
    }
  },
  'a check adds to what is known': {
    enter: (holders, report, nowUs) => enterReport(holders, { ...report, slots: findHolder(holders, report)?.slots ?? 0 }, nowUs)
  },
  'a check that is executed twice counts twice': {
    enter: (holders, report, nowUs) => {
      const known = findHolder(holders, report)
      if (known?.sequence !== report.sequence) return enterReport(holders, report, nowUs)
      return { ...enterReport(holders, report, nowUs), base: known.slots, replayed: 0 }
    }
  },
  'slots of other processes do not count': { assess: (quota, reported, cost) => assessReported(quota, { ...reported, others: 0 }, cost) },
  'a stale check is granted': { assess: (quota, reported, cost) => reported.isStale || assessReported(quota, reported, cost) },
  'one slot too many': { assess: ({ max }, reported, cost) => assessReported({ max: max + 1 }, reported, cost) },
  'a grant is not counted': { take: () => {} },
  'an entry without slots is dropped at once': { isKept: () => false },
  'an entry without slots is dropped by the report of another process': { isKept: (isOwn, isAskedFor) => isOwn && isAskedFor },
  'slots that were asked for are not reported': { count: (held) => held },
  'a slot is given back twice': { release: (held) => Math.max(0, held - 2) },
  'a slot is not given back': { release: (held) => held },
  'a lost reply is a refusal': { isUncertain: false },
  'the reply to an earlier report ends the doubt': { endsDoubt: () => true }
} satisfies Readonly<Record<string, Partial<Rules>>>

export type WrongRule = keyof typeof WRONG_RULES
