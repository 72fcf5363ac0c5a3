import type { Clock } from '../common/clock.js'
import { isThenable } from '../common/type-guards.js'
import { FST_SLUICE_STORE } from '../errors.js'
import {
  findSlot, isUnavailable,
  type Adjustment, type Answer, type Charge, type FailureReason, type Limit, type Standing, type Store, type Unavailable
} from '../stores/store.js'
import { type CallGuardPort } from '../stores/call-watch.js'
import { validateAnswer, validateCount, validateStandings } from './check-answer.js'
import { Deadline } from './deadline.js'

/** The method of a store call. */
export type GuardedOperation = 'take' | 'peek' | 'adjust' | 'reset'

export interface GuardedStoreOptions {
  readonly store: Store
  readonly callGuard: CallGuardPort
  /** With this many calls in progress, no further check is sent. */
  readonly maxPending: number
  /** Deadline of a ping, which the call guard does not cover. Whole milliseconds, 1 or more. */
  readonly deadlineMs: number
  readonly clock: Clock
  /** Called after each successful call, also a late one, with its duration in microseconds. */
  readonly onAnswer: (operation: GuardedOperation, tookUs: number) => void
  /** Called after each failure with the reason, an error code, and what the store threw. */
  readonly onFailure: (reason: FailureReason, code: string, cause?: unknown) => void
}

/** Why a call failed. */
class Failure {
  readonly answer: Unavailable
  readonly code: string
  readonly cause: unknown

  constructor (reason: FailureReason, code: string, cause?: unknown) {
    this.answer = { unavailable: reason }
    this.code = code
    this.cause = cause
  }
}

const OVERLOAD: Unavailable = { unavailable: 'overload' }
const OPEN = new Failure('breaker', 'circuit breaker is open')
const LATE = new Failure('deadline', 'DEADLINE')

/**
 * Wraps a custom store of unknown quality. Whatever the store throws or returns, and however long it takes, `take` returns
 * an answer within the deadline. The other methods return a result, or throw FST_SLUICE_STORE.
 * A result that the store returns in the same turn is returned in the same turn.
 */
export class GuardedStore implements Store {
  readonly kind: string
  readonly countsInFlight?: true
  readonly #options: GuardedStoreOptions
  readonly #store: Store
  readonly #pingDeadline: Deadline
  #pending = 0

  constructor (options: GuardedStoreOptions) {
    this.kind = options.store.kind
    if (options.store.countsInFlight === true) this.countsInFlight = true
    this.#options = options
    this.#store = options.store
    this.#pingDeadline = new Deadline(options.deadlineMs, options.clock)
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    if (this.#pending >= this.#options.maxPending) return OVERLOAD
    const validate = (answer: Answer) => validateTake(answer, charges)
    const outcome = this.#call<Answer>('take', () => this.#store.take(charges), validate, (answer) => { this.#releaseLate(answer) })
    return outcome instanceof Promise ? outcome.then(toAnswer) : toAnswer(outcome)
  }

  async peek (limits: readonly Limit[], partition: string): Promise<readonly Standing[]> {
    const validate = (standings: readonly Standing[]) => toInvalidAnswer(validateStandings(standings, limits, partition))
    return unwrap(await this.#call('peek', () => this.#store.peek(limits, partition), validate))
  }

  /** A failure is reported and the adjustment is lost, as with Redis. No request waits for it, and the bucket recovers over time. */
  async adjust (adjustments: readonly Adjustment[]): Promise<void> {
    await this.#call('adjust', () => this.#store.adjust(adjustments), () => null)
  }

  async reset (limits: readonly Limit[], partition: string): Promise<number> {
    return unwrap(await this.#call('reset', () => this.#store.reset(limits, partition), (count) => toInvalidAnswer(validateCount(count))))
  }

  /** Ignores the breaker: a health report must not close it, and must not wait for it. */
  ping (): Promise<void> {
    return new Promise((resolve, reject) => {
      const unwatch = this.#pingDeadline.watch(() => { reject(toError(LATE)) })
      this.#callPing().then(resolve, (error) => { reject(toError(toFailure(error))) }).finally(unwatch)
    })
  }

  /** Stop the timers. The owner of the store closes the store itself. */
  close (): void {
    this.#options.callGuard.close()
    this.#pingDeadline.close()
  }

  async #callPing (): Promise<void> {
    await this.#store.ping()
  }

  /** Call the store with the deadline. A later result is dropped; `onLate` is called with it. */
  #call<Value> (
    operation: GuardedOperation, invoke: () => Value | PromiseLike<Value>, validate: (value: Value) => Failure | null,
    onLate: (value: Value) => void = () => {}
  ): Value | Failure | Promise<Value | Failure> {
    const { callGuard, clock } = this.#options
    const beganUs = clock.nowUs()
    // A result in the same turn cannot be late.
    let expire = () => {}
    const call = callGuard.begin(() => { expire() })
    if (call === null) return OPEN
    const finish = (outcome: Value | Failure): Value | Failure => {
      if (outcome instanceof Failure) this.#report(outcome)
      else this.#options.onAnswer(operation, clock.nowUs() - beganUs)
      call.settle(!(outcome instanceof Failure))
      return outcome
    }
    try {
      const value = invoke()
      if (!isThenable(value)) return finish(toOutcome(value, validate))
      this.#pending++
      return new Promise((resolve) => {
        let isLate = false
        expire = () => {
          isLate = true
          this.#pending--
          this.#report(LATE)
          resolve(LATE)
        }
        Promise.resolve(value).then((value) => toOutcome(value, validate), toFailure).then((outcome) => {
          if (!isLate) this.#pending--
          else if (!(outcome instanceof Failure)) onLate(outcome)
          // A late failure was already reported, as too late.
          if (!isLate || !(outcome instanceof Failure)) resolve(finish(outcome))
        })
      })
    } catch (error) {
      return finish(toFailure(error))
    }
  }

  /** Give back a slot that was taken too late: its request was already decided without the store. */
  #releaseLate (answer: Answer): void {
    if (isUnavailable(answer)) return
    const slot = findSlot(answer.standings)
    if (slot === undefined || slot.charged === 0) return
    this.adjust([{ standing: slot, atUs: slot.atUs ?? answer.atUs, units: -slot.charged }]).catch(() => {})
  }

  #report ({ answer: { unavailable }, code, cause }: Failure): void {
    // If the store did not try, the failure is counted with the request, like a failure of our own breaker.
    if (unavailable !== 'breaker' && unavailable !== 'overload') this.#options.onFailure(unavailable, code, cause)
  }
}

/** The result of a store, or a failure if it is invalid. */
function toOutcome<Value> (value: Value, validate: (value: Value) => Failure | null): Value | Failure {
  try {
    return validate(value) ?? value
  } catch (error) {
    return toFailure(error)
  }
}

function validateTake (answer: Answer, charges: readonly Charge[]): Failure | null {
  const failure = toInvalidAnswer(validateAnswer(answer, charges))
  return failure === null && isUnavailable(answer) ? new Failure(answer.unavailable, 'UNAVAILABLE') : failure
}

function toInvalidAnswer (fault: string | null): Failure | null {
  return fault === null ? null : new Failure('error', 'BAD_ANSWER', new TypeError(fault))
}

/** Use the `code` of the thrown error only if it looks like an error code: it is shown in health reports. */
function toFailure (error: unknown): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return new Failure('error', typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,39}$/.test(code) ? code : 'ERROR', error)
}

function toError ({ answer: { unavailable }, code, cause }: Failure): Error {
  return new FST_SLUICE_STORE(unavailable, code, { cause })
}

function toAnswer (outcome: Answer | Failure): Answer {
  return outcome instanceof Failure ? outcome.answer : outcome
}

/** Throws FST_SLUICE_STORE. */
function unwrap<Value> (outcome: Value | Failure): Value {
  if (outcome instanceof Failure) throw toError(outcome)
  return outcome
}
