import { AsyncResource } from 'node:async_hooks'
import type { Clock } from '../common/clock.js'
import { IndexedHeap, type HeapEntry } from '../common/indexed-heap.js'
import { FifoOrder, type FifoEntry } from './fifo-order.js'
import { QueueCapacity, type QueueLimits } from './capacity.js'

/** A waiting request. One of its callbacks is called once, never during `hold`, and never after `cancel`. */
export interface DelayedRequest {
  /** How long it must wait, whole microseconds. 0 or less: until the next turn of the event loop. */
  readonly dueInUs: number
  /** Name and partition of the bucket. Requests with the same key leave in the order in which they were held. */
  readonly orderKey: string
  /** The request is due. */
  readonly onDue: () => void
  /** The queue closes before the request is due. Must not throw. */
  readonly onClose: () => void
}

export interface Ticket {
  /** Stop waiting. The place is free at once. Returns false if the request had already left. */
  cancel (): boolean
}

/** A place that is reserved during the store call. It must be used or released. */
export interface Reservation {
  /** Wait in this place. Returns `null` if the queue was closed, or if the place was already used or released. */
  hold (entry: DelayedRequest): Ticket | null
  /** Free the place without waiting. Does nothing if the place was used. */
  release (): void
}

interface HeldRequest extends DelayedRequest, HeapEntry, FifoEntry {
  readonly dueUs: number
  readonly partition: string
  /** The counter of its place. */
  readonly capacity: QueueCapacity
}

/** Requests that leave in one turn of the event loop. Each runs its handler, and other work must not wait for all of them. */
const MAX_PER_TURN = 50
/** Longest delay of a timer: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Holds requests until they are due, ordered by due time and then by arrival. By the clock, no request leaves early.
 *
 * One timer serves all requests. Unlike other timers of this package, it keeps the process alive: a held request is
 * unfinished work, and an injected request has no socket that keeps the process alive. A clock that a test moves replaces it.
 */
export class DelayQueue {
  readonly #clock: Clock
  /** By queue. There is one entry for each throttled scope. */
  readonly #queues = new Map<string, QueueCapacity>()
  readonly #fifo = new FifoOrder()
  readonly #held = new IndexedHeap<HeldRequest>()
  #arrivals = 0
  #timer: NodeJS.Timeout | null = null
  #immediate: NodeJS.Immediate | null = null
  #isClosed = false
  readonly #unsubscribe: (() => void) | undefined

  constructor (clock: Clock) {
    this.#clock = clock
    this.#unsubscribe = clock.onMove?.(() => { this.#releaseDue() })
  }

  /** Number of held requests, without reserved places. */
  get size (): number {
    return this.#held.size
  }

  /**
   * Reserve a place in a queue for a request of a partition, before the store call. Returns `null` if the queue is full
   * or closed. `queue`: the scope of the policy, so that the requests of one route leave places for another route. The
   * limits are compared with all places of the queue, including those that were taken under other limits.
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

  /** Call `onClose` of all held requests, now and in order. No request is held afterwards. */
  close (): void {
    this.#isClosed = true
    this.#unsubscribe?.()
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
    // Another request created the timer. Callbacks need the AsyncLocalStorage of this request, for its traces and its user.
    const onDue = AsyncResource.bind(entry.onDue)
    const onClose = AsyncResource.bind(entry.onClose)
    const dueUs = this.#fifo.earliestDue(orderKey, this.#clock.nowUs() + dueInUs)
    const order = this.#arrivals++
    const held: HeldRequest = {
      dueInUs, orderKey, onDue, onClose, partition, capacity, dueUs, order, index: -1, previous: null, next: null
    }
    this.#fifo.append(held)
    this.#held.push(held)
    if (this.#held.first === held) this.#arm()
    return { cancel: () => this.#remove(held) }
  }

  #remove (held: HeldRequest): boolean {
    if (!this.#held.remove(held)) return false
    held.capacity.free(held.partition)
    this.#fifo.remove(held)
    // The timer of a cancelled request may fire without effect, but must not keep the process alive without held requests.
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
      // If a callback throws, the requests after it must still leave.
      this.#arm()
    }
  }

  #arm (): void {
    this.#disarm()
    const next = this.#held.first
    if (next === null) return
    const waitUs = next.dueUs - this.#clock.nowUs()
    if (waitUs <= 0) this.#immediate = setImmediate(() => { this.#releaseDue() })
    else if (this.#unsubscribe === undefined) {
      this.#timer = setTimeout(() => { this.#releaseDue() }, Math.min(Math.ceil(waitUs / 1000), MAX_TIMER_MS))
    }
  }

  #disarm (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
  }
}
