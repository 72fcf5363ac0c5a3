import { mock } from 'node:test'
import fc from 'fast-check'
import t from 'tap'
import { DelayQueue, type Reservation, type Ticket } from '../../lib/throttle/delay-queue.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { assertProperty } from '../fixtures/property.js'

const LIMITS = { maxQueued: 40, maxQueuedPerClient: 15 }

type Step =
  | { readonly does: 'reserve', readonly partition: number }
  | { readonly does: 'hold', readonly which: number, readonly line: number, readonly dueInUs: number }
  | { readonly does: 'release', readonly which: number }
  | { readonly does: 'leave', readonly which: number }
  | { readonly does: 'pass', readonly us: number }

const waits = fc.oneof(fc.integer({ min: -10, max: 60_000 }), fc.constantFrom(0, 1, 999, 1000, 1001, 5000, 20_000))
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ does: fc.constant('reserve' as const), partition: fc.nat(3) }) },
  { weight: 5, arbitrary: fc.record({ does: fc.constant('hold' as const), which: fc.nat(100), line: fc.nat(1), dueInUs: waits }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('release' as const), which: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('leave' as const), which: fc.nat(100) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('pass' as const), us: fc.integer({ min: 0, max: 15_000 }) }) }
)

interface Guest {
  readonly arrival: number
  readonly partition: string
  readonly line: string
  readonly mayGoAtUs: number
  readonly ticket: Ticket
}

/** Plays a history, and holds the room against what it should do, with lists and no cleverness. */
class Witness {
  readonly #clock = new ManualClock()
  readonly #room = new DelayQueue(this.#clock)
  readonly #places: Array<{ partition: string, place: Reservation }> = []
  readonly #waiting: Guest[] = []
  readonly #called = new Set<number>()
  #arrivals = 0

  play (step: Step): void {
    switch (step.does) {
      case 'reserve': return this.#reserve(`ip:${step.partition}`)
      case 'hold': return this.#hold(step.which, step.line, step.dueInUs)
      case 'release': return this.#pick(this.#places, step.which)?.place.release()
      case 'leave': return this.#leave(step.which)
      case 'pass': return this.#pass(step.us)
      default: step satisfies never
    }
  }

  /** Everybody's time comes; or the room closes. */
  end (isClosed: boolean): void {
    if (isClosed) this.#room.close()
    else this.#pass(200_000)
    expect(this.#waiting.length === 0, 'nobody is lost')
    expect(this.#room.size === 0, 'nobody is left')
  }

  #reserve (partition: string): void {
    const taken = [...this.#places, ...this.#waiting]
    const hasRoom = taken.length < LIMITS.maxQueued && taken.filter((one) => one.partition === partition).length < LIMITS.maxQueuedPerClient
    const place = this.#room.reserve('queue', partition, LIMITS)
    expect((place !== null) === hasRoom, `room for ${partition}: ${hasRoom}`)
    if (place !== null) this.#places.push({ partition, place })
  }

  #hold (which: number, lineNumber: number, dueInUs: number): void {
    const kept = this.#pick(this.#places, which)
    if (kept === undefined) return
    const { partition, place } = kept
    const line = `${lineNumber} ${partition}`
    const arrival = this.#arrivals++
    const before = this.#waiting.filter((guest) => guest.line === line).map((guest) => guest.mayGoAtUs)
    const mayGoAtUs = Math.max(this.#clock.nowUs() + dueInUs, ...before)
    const ticket = place.hold({ dueInUs, orderKey: line, onDue: () => { this.#goes(arrival, false) }, onClose: () => { this.#goes(arrival, true) } })
    if (ticket === null) throw new Error('an open room takes who has a place')
    this.#waiting.push({ arrival, partition, line, mayGoAtUs, ticket })
    expect(this.#room.size === this.#waiting.length, 'size')
  }

  #leave (which: number): void {
    const guest = this.#pick(this.#waiting, which)
    expect(guest === undefined || guest.ticket.cancel(), 'who waits may give up')
  }

  #goes (arrival: number, isClosed: boolean): void {
    expect(!this.#called.has(arrival), 'nobody is called twice')
    this.#called.add(arrival)
    const index = this.#waiting.findIndex((guest) => guest.arrival === arrival)
    expect(index !== -1, 'nobody is called who gave up')
    const [guest] = this.#waiting.splice(index, 1)
    expect(isClosed || guest.mayGoAtUs <= this.#clock.nowUs(), 'nobody goes early')
    for (const other of this.#waiting) {
      expect(other.line !== guest.line || other.arrival > guest.arrival, 'nobody overtakes in his line')
      expect(other.mayGoAtUs > guest.mayGoAtUs || (other.mayGoAtUs === guest.mayGoAtUs && other.arrival > guest.arrival), 'order is kept')
    }
  }

  /** Time passes in uneven steps, and timers count whole milliseconds of their own: some fire early by the clock. */
  #pass (us: number): void {
    for (let leftUs = us; leftUs > 0; leftUs -= 700) {
      this.#clock.advance(Math.min(leftUs, 700))
      mock.timers.tick(1)
    }
    const overdue = this.#waiting.filter((guest) => guest.mayGoAtUs <= this.#clock.nowUs() - 2000)
    expect(overdue.length === 0 || us < 3000, 'nobody waits for long when his time has come')
  }

  #pick<T> (from: T[], which: number): T | undefined {
    return from.length === 0 ? undefined : from.splice(which % from.length, 1)[0]
  }
}

function expect (isSo: boolean, fact: string): void {
  if (!isSo) throw new Error(`not so: ${fact}`)
}

for (const isClosed of [false, true]) {
  t.test(`in any history that ends with ${isClosed ? 'a close' : 'patience'}, all leave once, in order, never early, within bounds`, async () => {
    assertProperty(fc.array(steps, { minLength: 1, maxLength: 150, size: 'max' }), 300, (history) => {
      mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
      try {
        const witness = new Witness()
        for (const step of history) witness.play(step)
        witness.end(isClosed)
      } finally {
        mock.timers.reset()
      }
    })
  })
}
