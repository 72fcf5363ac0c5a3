import type { SlotHolder } from '../lib/algorithms/concurrency.js'

/** A message of a process, or the reply to it. */
export interface Message {
  readonly kind: 'check' | 'report'
  readonly isReply: boolean
  readonly sequence: number
  readonly slots: number
  /** Keep the entry even if there are no slots. */
  readonly isKept: boolean
  /** As `isKept`, by what the model has seen. */
  readonly mustBeKept: boolean
  /** The max under which a check is decided. */
  readonly max: number
  readonly isGranted: boolean
  /** Whether Redis has forgotten the slot since it granted it. */
  readonly isOverlooked: boolean
  /** Whether its sender waits for the reply. */
  readonly isAwaited: boolean
  readonly isResent: boolean
}

export interface Process {
  readonly instance: string
  readonly isDead: boolean
  /** Requests that run, and those of them that Redis has forgotten: its lease was over, or a failover. */
  readonly running: number
  readonly overlooked: number
  /** The process as lib/stores/redis/held-slots.ts: the slots that it believes to hold, and what Redis knows of them. */
  readonly held: number
  readonly isHolding: boolean
  readonly isUncertain: boolean
  /** A check may still be executed, and no report that was sent since has been answered: as `isUncertain`, by what the model has seen. */
  readonly hasDoubt: boolean
  readonly reported: number | null
  readonly sequence: number
  readonly messages: readonly Message[]
  /** The last report that was executed in time: ticks until its lease ends, its number, and whether its entry is kept. */
  readonly heardIn: number
  readonly heardSequence: number
  readonly isHeardKept: boolean
  /** Ticks until the lease of a late report ends, if none was executed in time since. */
  readonly lateIn: number
}

export interface State {
  readonly processes: readonly Process[]
  /** In Redis. Their times are relative to now. */
  readonly holders: readonly SlotHolder[]
  readonly crashes: number
  readonly failovers: number
  readonly sends: number
  readonly fault: string | null
}

export function createProcess (instance: string): Process {
  return {
    instance,
    isDead: false,
    running: 0,
    overlooked: 0,
    held: 0,
    isHolding: false,
    isUncertain: false,
    hasDoubt: false,
    reported: null,
    sequence: 0,
    messages: [],
    heardIn: 0,
    heardSequence: -1,
    isHeardKept: false,
    lateIn: 0
  }
}

export function countPending ({ messages }: Process): number {
  return messages.filter(({ kind, isAwaited }) => kind === 'check' && isAwaited).length
}

/** The process after its lease has ended, or Redis has forgotten it. */
export function overlook (process: Process): Process {
  const messages = process.messages.map((message) => ({ ...message, isOverlooked: message.isReply }))
  return { ...process, messages, overlooked: process.running, heardIn: 0, heardSequence: -1, isHeardKept: false }
}

/** Of the numbers of reports only their order matters, and only as long as there are messages. */
export function writeProcess (process: Process, holder: SlotHolder | undefined): string {
  const { isDead, running, overlooked, held, isHolding, isUncertain, hasDoubt, reported, messages } = process
  const { heardIn, heardSequence, isHeardKept, lateIn } = process
  const told = isHolding ? `${isUncertain ? '?' : ''}${reported}` : '-'
  let text = `${isDead ? 'x' : ''}${running},${overlooked},${held},${told}${hasDoubt ? '?' : ''}|${heardIn},${lateIn}|`
  if (holder !== undefined) text += `${holder.slots},${holder.endsUs}`
  if (messages.length === 0) return text
  const known = holder?.sequence ?? -1
  const numbers = [heardSequence, known, ...messages.map(({ sequence }) => sequence)].sort((a, b) => a - b)
  text += `|${numbers.indexOf(heardSequence)},${numbers.indexOf(known)}${isHeardKept ? 'k' : ''}`
  for (const { kind, isReply, sequence, slots, isKept, mustBeKept, max, isGranted, isOverlooked, isAwaited, isResent } of messages) {
    text += `/${kind}${numbers.indexOf(sequence)},${slots},${max}${isReply ? 'r' : ''}${isKept ? 'k' : ''}` +
      `${mustBeKept ? 'm' : ''}${isGranted ? 'g' : ''}${isOverlooked ? 'o' : ''}${isAwaited ? 'a' : ''}${isResent ? '2' : ''}`
  }
  return text
}
