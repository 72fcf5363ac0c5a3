import { AsyncResource } from 'node:async_hooks'
import type { Clock } from '../common/clock.js'
import { DueHeap, type Due } from './indexed-heap.js'
import { Lines, type InLine } from './fifo-order.js'
import { Slots, type RoomLimits } from './capacity.js'

/** A request that waits. Exactly one of its callbacks is called, once, never within `hold`; none after `leave`. */
export interface Entry {
  /** How long it has to wait, whole microseconds; 0 or less: until the next turn. */
  readonly dueInUs: number
  /** Entries of one line leave in the order in which they were held: a bucket's name and its partition. */
  readonly line: string
  /** Its time has come. */
  readonly onDue: () => void
  /** The room closes before its time has come. Must not throw. */
  readonly onClose: () => void
}

export interface Ticket {
  /** Give up waiting: the place is free at once. False when the entry had left already. */
  leave (): boolean
}

/** A place that is kept while the store is asked. It must be used or released. */
export interface Reservation {
  /** Wait in this place. `null` when the room has closed since, or the place was used or released before. */
  hold (entry: Entry): Ticket | null
  /** Give the place up without waiting; nothing happens where it was used. */
  release (): void
}

interface Held extends Entry, Due, InLine {
  readonly dueUs: number
  readonly partition: string
  /** Where its place is counted. */
  readonly slots: Slots
}

/** How many leave in one turn of the event loop: each goes on to its handler, and what else happens must not wait. */
const LEAVE_IN_ONE_TURN = 50
/** A longer timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Holds requests until they are due, in the order of their times and then of their arrival, never early by the clock.
 *
 * One timer serves them all. It keeps the process alive, unlike others here: a request that is held is work under
 * way, and one that was injected has no socket that would.
 */
export class WaitingRoom {
  readonly #clock: Clock
  /** By queue. There are as many as there are throttled scopes. */
  readonly #queues = new Map<string, Slots>()
  readonly #lines = new Lines()
  readonly #held = new DueHeap<Held>()
  #arrivals = 0
  #timer: NodeJS.Timeout | null = null
  #turn: NodeJS.Immediate | null = null
  #isClosed = false

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** Requests that are held now; places that are only reserved do not count. */
  get size (): number {
    return this.#held.size
  }

  /**
   * Keep a place in a queue for a request of a partition, before the store is asked; `null` when the queue is full or
   * the room closed. `queue`: the scope of the policy, so that one route's line leaves room for another's. The limits
   * are compared with all places of the queue, also those that were taken under other limits.
   */
  reserve (queue: string, partition: string, limits: RoomLimits): Reservation | null {
    const slots = this.#slotsOf(queue)
    if (this.#isClosed || !slots.take(partition, limits)) return null
    let isOpen = true
    return {
      hold: (entry) => {
        if (!isOpen || this.#isClosed) return null
        isOpen = false
        return this.#hold(slots, partition, entry)
      },
      release: () => {
        if (isOpen) slots.free(partition)
        isOpen = false
      }
    }
  }

  /** Call `onClose` of everything that is held, now and in order. Nothing is held afterwards. */
  close (): void {
    this.#isClosed = true
    for (let held = this.#held.first; held !== null; held = this.#held.first) {
      this.#remove(held)
      held.onClose()
    }
    this.#disarm()
  }

  #slotsOf (queue: string): Slots {
    let slots = this.#queues.get(queue)
    if (slots === undefined) {
      slots = new Slots()
      this.#queues.set(queue, slots)
    }
    return slots
  }

  #hold (slots: Slots, partition: string, entry: Entry): Ticket {
    const { dueInUs, line } = entry
    // The timer is another request's: what follows must see this one's AsyncLocalStorage, for its traces and its user.
    const onDue = AsyncResource.bind(entry.onDue)
    const onClose = AsyncResource.bind(entry.onClose)
    const dueUs = this.#lines.turnOf(line, this.#clock.nowUs() + dueInUs)
    const held: Held = { dueInUs, line, onDue, onClose, partition, slots, dueUs, order: this.#arrivals++, index: -1, ahead: null, behind: null }
    this.#lines.join(held)
    this.#held.push(held)
    if (this.#held.first === held) this.#arm()
    return { leave: () => this.#remove(held) }
  }

  #remove (held: Held): boolean {
    if (!this.#held.remove(held)) return false
    held.slots.free(held.partition)
    this.#lines.part(held)
    // A timer for one that gave up may fire for nothing, but not keep the process alive for nobody.
    if (this.#held.size === 0) this.#disarm()
    return true
  }

  #leaveIfDue (): void {
    try {
      for (let left = 0; left < LEAVE_IN_ONE_TURN; left++) {
        const held = this.#held.first
        // A timer may fire up to a millisecond early.
        if (held === null || held.dueUs > this.#clock.nowUs()) return
        this.#remove(held)
        held.onDue()
      }
    } finally {
      // One that throws must not strand those behind it.
      this.#arm()
    }
  }

  #arm (): void {
    this.#disarm()
    const next = this.#held.first
    if (next === null) return
    const waitUs = next.dueUs - this.#clock.nowUs()
    if (waitUs <= 0) this.#turn = setImmediate(() => { this.#leaveIfDue() })
    else this.#timer = setTimeout(() => { this.#leaveIfDue() }, Math.min(Math.ceil(waitUs / 1000), LONGEST_TIMER_MS))
  }

  #disarm (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#turn !== null) clearImmediate(this.#turn)
    this.#timer = null
    this.#turn = null
  }
}
