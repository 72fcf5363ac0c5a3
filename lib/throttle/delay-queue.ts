import { AsyncResource } from 'node:async_hooks'
import type { Clock } from '../common/clock.js'
import { IndexedHeap, type HeapEntry } from './indexed-heap.js'
import { FifoOrder, type FifoEntry } from './fifo-order.js'
import { QueueCapacity, type QueueLimits } from './capacity.js'

/** A request that waits. Exactly one of its callbacks is called, once, never within `hold`; none after `leave`. */
export interface DelayedRequest {
  /** How long it has to wait, whole microseconds; 0 or less: until the next turn. */
  readonly dueInUs: number
  /** Entries of one line leave in the order in which they were held: a bucket's name and its partition. */
  readonly orderKey: string
  /** Its time has come. */
  readonly onDue: () => void
  /** The room closes before its time has come. Must not throw. */
  readonly onClose: () => void
}

export interface Ticket {
  /** Give up waiting: the place is free at once. False when the entry had left already. */
  cancel (): boolean
}

/** A place that is kept while the store is asked. It must be used or released. */
export interface Reservation {
  /** Wait in this place. `null` when the room has closed since, or the place was used or released before. */
  hold (entry: DelayedRequest): Ticket | null
  /** Give the place up without waiting; nothing happens where it was used. */
  release (): void
}

interface HeldRequest extends DelayedRequest, HeapEntry, FifoEntry {
  readonly dueUs: number
  readonly partition: string
  /** Where its place is counted. */
  readonly capacity: QueueCapacity
}

/** How many leave in one turn of the event loop: each goes on to its handler, and what else happens must not wait. */
const MAX_PER_TURN = 50
/** A longer timer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Holds requests until they are due, in the order of their times and then of their arrival, never early by the clock.
 *
 * One timer serves them all. It keeps the process alive, unlike others here: a request that is held is work under
 * way, and one that was injected has no socket that would.
 */
export class DelayQueue {
  readonly #clock: Clock
  /** By queue. There are as many as there are throttled scopes. */
  readonly #queues = new Map<string, QueueCapacity>()
  readonly #fifo = new FifoOrder()
  readonly #held = new IndexedHeap<HeldRequest>()
  #arrivals = 0
  #timer: NodeJS.Timeout | null = null
  #immediate: NodeJS.Immediate | null = null
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
  reserve (queue: string, partition: string, limits: QueueLimits): Reservation | null {
    const capacity = this.#getCapacity(queue)
    if (this.#isClosed || !capacity.take(partition, limits)) return null
    let isOpen = true
    return {
      hold: (entry) => {
        if (!isOpen || this.#isClosed) return null
        isOpen = false
        return this.#hold(capacity, partition, entry)
      },
      release: () => {
        if (isOpen) capacity.free(partition)
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

  #getCapacity (queue: string): QueueCapacity {
    let capacity = this.#queues.get(queue)
    if (capacity === undefined) {
      capacity = new QueueCapacity()
      this.#queues.set(queue, capacity)
    }
    return capacity
  }

  #hold (capacity: QueueCapacity, partition: string, entry: DelayedRequest): Ticket {
    const { dueInUs, orderKey } = entry
    // The timer is another request's: what follows must see this one's AsyncLocalStorage, for its traces and its user.
    const onDue = AsyncResource.bind(entry.onDue)
    const onClose = AsyncResource.bind(entry.onClose)
    const dueUs = this.#fifo.earliestDue(orderKey, this.#clock.nowUs() + dueInUs)
    const held: HeldRequest = { dueInUs, orderKey, onDue, onClose, partition, capacity, dueUs, order: this.#arrivals++, index: -1, previous: null, next: null }
    this.#fifo.append(held)
    this.#held.push(held)
    if (this.#held.first === held) this.#arm()
    return { cancel: () => this.#remove(held) }
  }

  #remove (held: HeldRequest): boolean {
    if (!this.#held.remove(held)) return false
    held.capacity.free(held.partition)
    this.#fifo.remove(held)
    // A timer for one that gave up may fire for nothing, but not keep the process alive for nobody.
    if (this.#held.size === 0) this.#disarm()
    return true
  }

  #releaseDue (): void {
    try {
      for (let released = 0; released < MAX_PER_TURN; released++) {
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
    if (waitUs <= 0) this.#immediate = setImmediate(() => { this.#releaseDue() })
    else this.#timer = setTimeout(() => { this.#releaseDue() }, Math.min(Math.ceil(waitUs / 1000), MAX_TIMER_MS))
  }

  #disarm (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
  }
}
