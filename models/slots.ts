import type { SlotHolder } from '../lib/algorithms/concurrency.js'
import type { Model } from './explore.js'
import { countGranted, findFault } from './slot-claims.js'
import type { Rules } from './slot-rules.js'
import { countPending, createProcess, overlook, writeProcess, type Message, type Process, type State } from './slot-state.js'

/*
 * Several processes hold slots of one partition. Each step is one event: a message that is sent, executed or lost, the end of a
 * request, a crash, a failover, a tick of time. A process that is paused is one that takes no step for a while.
 *
 * The bound: the requests that run are at most `max`, and those that Redis had to forget: the lease of their process was over, or a
 * failover forgot all. No check is granted beyond the max of its own version.
 *
 * All slots return: Redis counts for a process what it holds once all of its messages have arrived. It counts nothing for a process
 * that it has not heard of for a lease.
 */

export interface SlotModelOptions {
  /** The max of each version of the limit. */
  readonly max: readonly number[]
  readonly leaseTicks: number
  readonly processes: number
  /** The most messages of a process that are on their way. */
  readonly messages: number
  /** The most slots that a process asks for. */
  readonly want: number
  /** Requests can be executed after their sender has stopped waiting or has crashed. */
  readonly hasLate?: boolean
  /** A message can be executed, and be sent again before its reply arrives. */
  readonly hasResent?: boolean
  readonly crashes?: number
  readonly failovers?: number
  /** How many messages are sent in all. Default: any number. */
  readonly sends?: number
  /** What may run beside `max`: see above. Default `forgotten`. */
  readonly bound?: 'forgotten' | 'nothing'
}

type Visit = (state: State, step: string) => void

/** So late that no time is negative. */
const NOW_US = 1_000_000

export function createSlotModel (options: SlotModelOptions, rules: Rules): Model<State> {
  return new SlotModel(options, rules)
}

class SlotModel implements Model<State> {
  readonly start: State
  readonly #options: SlotModelOptions
  readonly #rules: Rules

  constructor (options: SlotModelOptions, rules: Rules) {
    const { processes, crashes = 0, failovers = 0, sends = Infinity } = options
    this.#options = options
    this.#rules = rules
    this.start = {
      processes: Array.from({ length: processes }, (_, i) => createProcess(`${i}`)), holders: [], crashes, failovers, sends, fault: null
    }
  }

  slack ({ processes, fault }: State): number {
    if (fault !== null) return -1
    const running = processes.reduce((sum, { running, overlooked }) => {
      return sum + running - (this.#options.bound === 'nothing' ? 0 : overlooked)
    }, 0)
    return Math.max(...this.#options.max) - running
  }

  key ({ processes, holders, crashes, failovers, sends, fault }: State): string {
    const texts = processes.map((process) => writeProcess(process, holders.find(({ instance }) => instance === process.instance)))
    return `${texts.sort().join(';')}|${crashes},${failovers},${sends}|${fault}`
  }

  next (state: State, visit: Visit): void {
    this.#tick(state, visit)
    if (state.failovers > 0 && state.holders.length > 0) {
      const processes = state.processes.map(overlook)
      visit({ ...state, processes, holders: [], failovers: state.failovers - 1 }, 'a failover forgets all')
    }
    state.processes.forEach((process, at) => {
      if (!process.isDead) this.#act(state, at, visit)
      process.messages.forEach((_, which) => { this.#move(state, at, which, visit) })
    })
  }

  #tick (state: State, visit: Visit): void {
    const moved = state.holders.map((holder) => ({ ...holder, endsUs: holder.endsUs - 1 }))
    const processes = state.processes
      .map((process) => process.heardIn === 1 ? overlook(process) : { ...process, heardIn: Math.max(0, process.heardIn - 1) })
      .map((process) => ({ ...process, lateIn: Math.max(0, process.lateIn - 1) }))
      .filter(({ isDead, heardIn, lateIn, messages }) => !isDead || heardIn + lateIn + messages.length > 0)
    this.#visitChecked({ ...state, processes, holders: this.#rules.drop(moved.map(toAbsolute), NOW_US).map(toRelative) }, 'tick', visit)
  }

  /** What a process does by itself. */
  #act (state: State, at: number, visit: Visit): void {
    const process = state.processes[at]
    const { running, overlooked, held, messages, isHolding } = process
    const replace = (changes: Partial<Process>, step: string) => { this.#visitChecked(this.#replace(state, at, changes), step, visit) }
    if (messages.length < this.#options.messages && state.sends > 0) {
      const sent = { ...state, sends: state.sends - 1 }
      if (running + countPending(process) < this.#options.want) {
        for (const max of this.#options.max) {
          visit(this.#replace(sent, at, { ...this.#send(process, 'check', max), isHolding: true }), 'a check is sent')
        }
      }
      if (isHolding) visit(this.#replace(sent, at, this.#send(process, 'report', 0)), 'a report is sent')
    }
    const ended = { running: running - 1, held: this.#rules.release(held), isHolding: true }
    if (running > overlooked) replace(ended, 'a request ends')
    if (overlooked > 0) replace({ ...ended, overlooked: overlooked - 1 }, 'a forgotten request ends')
    if (state.crashes > 0 && (running > 0 || messages.length > 0)) visit(this.#crash(state, at), 'a process crashes')
  }

  #send (process: Process, kind: Message['kind'], max: number): Partial<Process> {
    const { held, isUncertain, messages } = process
    const sequence = process.sequence + 1
    const slots = this.#rules.count(held, countPending(process))
    const message: Message = {
      kind,
      sequence,
      slots,
      max,
      isKept: kind === 'report' && isUncertain,
      mustBeKept: kind === 'report' && process.hasDoubt,
      isReply: false,
      isGranted: false,
      isOverlooked: false,
      isAwaited: true,
      isResent: false
    }
    return { sequence, messages: [...messages, message], reported: process.isHolding ? process.reported : null }
  }

  #crash (state: State, at: number): State {
    const process = state.processes[at]
    const late = this.#options.hasLate ? process.messages.filter(({ isReply }) => !isReply) : []
    const messages = late.map((message) => ({ ...message, isAwaited: false }))
    const { instance, heardIn, heardSequence, isHeardKept, lateIn } = process
    const dead: Process = { ...createProcess(instance), isDead: true, messages, heardIn, heardSequence, isHeardKept, lateIn }
    const processes = [...state.processes.with(at, createProcess(`${instance}'`)), dead]
    return { ...state, processes, crashes: state.crashes - 1 }
  }

  /** What can happen to a message. */
  #move (state: State, at: number, which: number, visit: Visit): void {
    const process = state.processes[at]
    const message = process.messages[which]
    const { kind, isReply, isAwaited, isResent } = message
    const without = process.messages.toSpliced(which, 1)
    const replace = (changes: Partial<Process>, step: string) => { this.#visitChecked(this.#replace(state, at, changes), step, visit) }
    // Those of one connection arrive in order. A late one was sent over another connection.
    const isFirst = !process.messages.some((other, i) => i < which && other.isAwaited && (isReply || !other.isReply))
    if (!isReply && (isFirst || !isAwaited)) this.#execute(state, at, which, visit)
    if (!isAwaited) return replace({ messages: without }, 'a late message is lost')
    if (isReply && isFirst) replace(this.#receive(process, message, without), 'a reply arrives')
    if (isReply && this.#options.hasResent && !isResent && process.messages.every((other, i) => i <= which || !other.isReply)) {
      const again = { ...message, isReply: false, isGranted: false, isResent: true }
      replace({ messages: process.messages.with(which, again) }, 'a message is sent again')
    }
    const remaining = !isReply && this.#options.hasLate ? process.messages.with(which, { ...message, isAwaited: false }) : without
    const isRefusal = kind === 'check' && !this.#rules.isUncertain
    const reported = message.sequence !== process.sequence ? process.reported : isRefusal ? message.slots : null
    const unanswered = { ...process, messages: remaining, reported }
    if (kind === 'report') return replace(unanswered, 'a process waits no longer for a report')
    const doubtful = { ...unanswered, isUncertain: process.isUncertain || !isRefusal, hasDoubt: true }
    replace(compare(doubtful), 'a process waits no longer for a check')
  }

  /** The process with an answer to a message. */
  #receive (process: Process, message: Message, messages: readonly Message[]): Process {
    const { kind, sequence, slots, isKept, mustBeKept, isGranted, isOverlooked } = message
    const isLast = sequence === process.sequence
    if (kind === 'report') {
      if (!isLast) return { ...process, messages }
      const isUncertain = process.isUncertain && !this.#rules.endsDoubt(isKept)
      return compare({ ...process, messages, reported: slots, isUncertain, hasDoubt: process.hasDoubt && !mustBeKept })
    }
    const granted = isGranted ? 1 : 0
    return compare({
      ...process,
      messages,
      running: process.running + granted,
      overlooked: process.overlooked + (isOverlooked ? granted : 0),
      held: process.held + granted,
      reported: isLast ? slots + granted : process.reported
    })
  }

  /** Redis executes a message. */
  #execute (state: State, at: number, which: number, visit: Visit): void {
    const { instance, messages } = state.processes[at]
    const message = messages[which]
    const { kind, sequence, slots, max, isAwaited } = message
    const holders = this.#rules.drop(state.holders.map(toAbsolute), NOW_US)
    const reported = this.#rules.enter(holders, { instance, sequence, slots, leaseUs: this.#options.leaseTicks }, NOW_US)
    const isGranted = kind === 'check' && this.#rules.assess({ max }, reported, 1)
    if (isGranted) this.#rules.take(reported, 1)
    if (kind === 'report' && !reported.isStale) reported.own.slots = slots
    const isReported = (holder: SlotHolder) => holder === reported.own && !reported.isStale
    const kept = holders.filter((holder) => holder.slots > 0 || this.#rules.isKept(isReported(holder), message.isKept))
    const remaining = isAwaited ? messages.with(which, { ...message, isReply: true, isGranted }) : messages.toSpliced(which, 1)
    const heard = hear(state.processes[at], message, this.#options.leaseTicks)
    const after = { ...this.#replace(state, at, { ...heard, messages: remaining }), holders: kept.map(toRelative) }
    const isTooMany = isGranted && isAwaited && countGranted(after) > max
    if (isTooMany) visit({ ...after, fault: 'beyond max' }, `a check is granted beyond ${max}`)
    else this.#visitChecked(after, kind === 'report' ? 'Redis takes a report' : `Redis ${isGranted ? 'grants' : 'refuses'} a check`, visit)
  }

  #replace (state: State, at: number, changes: Partial<Process>): State {
    return { ...state, processes: state.processes.with(at, { ...state.processes[at], ...changes }) }
  }

  #visitChecked (state: State, step: string, visit: Visit): void {
    const fault = findFault(state)
    visit({ ...state, fault }, fault === null ? step : `${step}: ${fault}`)
  }
}

/** As HeldSlots: forget a partition without slots once Redis has. Until then it is reported again, at the latest by a heartbeat. */
function compare (process: Process): Process {
  if (countPending(process) > 0) return process
  const isKnown = process.reported === process.held && !process.isUncertain
  return { ...process, isHolding: !isKnown || process.held > 0 }
}

/** Redis has heard of a process: what the model remembers of it. */
function hear (process: Process, { sequence, isAwaited, mustBeKept }: Message, leaseTicks: number): Partial<Process> {
  const { heardIn, heardSequence, isHeardKept } = process
  const isHeard = sequence >= heardSequence
  const heard = { heardIn: leaseTicks, heardSequence: sequence, isHeardKept: mustBeKept }
  if (isAwaited && isHeard) return { ...heard, lateIn: 0 }
  // It must not change an entry that is kept.
  if (heardIn > 0 && isHeardKept && !isHeard) return {}
  return { ...isHeard ? heard : {}, lateIn: leaseTicks }
}

function toAbsolute (holder: SlotHolder): SlotHolder {
  return { ...holder, endsUs: holder.endsUs + NOW_US }
}

function toRelative (holder: SlotHolder): SlotHolder {
  return { ...holder, endsUs: holder.endsUs - NOW_US }
}
