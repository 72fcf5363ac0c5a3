import type { Clock } from '../common/clock.js'
import { FST_SLUICE_STORE } from '../errors.js'
import { isUnavailable, type Adjustment, type Answer, type Charge, type FailureReason, type Limit, type Standing, type Store, type Unavailable } from '../stores/store.js'
import { type CallGuardPort } from '../stores/call-watch.js'
import { validateAnswer, validateCount, validateStandings } from './check-answer.js'
import { Deadline } from './deadline.js'

/** What a call is for. */
export type GuardedOperation = 'take' | 'peek' | 'adjust' | 'reset'

export interface GuardedStoreOptions {
  readonly store: Store
  readonly callGuard: CallGuardPort
  /** Calls under way, past which a further check is not made. */
  readonly maxPending: number
  /** For a ping, which is not under watch: milliseconds, whole, 1 or more. */
  readonly deadlineMs: number
  readonly clock: Clock
  /** Hears of each call that succeeded, also of one that came too late: how long it took, microseconds. */
  readonly onAnswer: (operation: GuardedOperation, tookUs: number) => void
  /** Hears of each failure: the reason, a word for it, and what the store threw. */
  readonly onFailure: (reason: FailureReason, code: string, cause?: unknown) => void
}

/** Why a call came to nothing. */
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
const OPEN = new Failure('breaker', 'no call is made for a while')
const LATE = new Failure('deadline', 'DEADLINE')

/**
 * A store of which nothing is known, made as dependable as ours: whatever it throws, rejects with or answers, and however
 * long it takes, `take` comes to an answer within the deadline, and the others to an answer or to FST_SLUICE_STORE.
 * What the store answers in the same turn is answered in the same turn.
 */
export class GuardedStore implements Store {
  readonly kind: string
  readonly #options: GuardedStoreOptions
  readonly #store: Store
  readonly #pingDeadline: Deadline
  #pending = 0

  constructor (options: GuardedStoreOptions) {
    this.kind = options.store.kind
    this.#options = options
    this.#store = options.store
    this.#pingDeadline = new Deadline(options.deadlineMs, options.clock)
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    if (this.#pending >= this.#options.maxPending) return OVERLOAD
    const outcome = this.#call<Answer>('take', () => this.#store.take(charges), (answer) => validateTake(answer, charges))
    return outcome instanceof Promise ? outcome.then(toAnswer) : toAnswer(outcome)
  }

  async peek (limits: readonly Limit[], partition: string): Promise<readonly Standing[]> {
    return unwrap(await this.#call('peek', () => this.#store.peek(limits, partition), (standings) => toInvalidAnswer(validateStandings(standings, limits, partition))))
  }

  /** What fails is reported and lost, as with Redis: nobody waits for it, and the bucket recovers by itself. */
  async adjust (adjustments: readonly Adjustment[]): Promise<void> {
    await this.#call('adjust', () => this.#store.adjust(adjustments), () => null)
  }

  async reset (limits: readonly Limit[], partition: string): Promise<number> {
    return unwrap(await this.#call('reset', () => this.#store.reset(limits, partition), (count) => toInvalidAnswer(validateCount(count))))
  }

  /** Whatever the breaker thinks of the store: a report of its health must not be what closes it, nor wait for it. */
  ping (): Promise<void> {
    return new Promise((resolve, reject) => {
      const unwatch = this.#pingDeadline.watch(() => { reject(toError(LATE)) })
      this.#callPing().then(resolve, (error) => { reject(toError(toFailure(error))) }).finally(unwatch)
    })
  }

  /** End the watch. The store itself is its owner's to close. */
  close (): void {
    this.#options.callGuard.close()
    this.#pingDeadline.close()
  }

  async #callPing (): Promise<void> {
    await this.#store.ping()
  }

  /** Ask, for no longer than the deadline; an answer that comes later is dropped. */
  #call<Value> (operation: GuardedOperation, invoke: () => Value | PromiseLike<Value>, validate: (value: Value) => Failure | null): Value | Failure | Promise<Value | Failure> {
    const { callGuard, clock } = this.#options
    const beganUs = clock.nowUs()
    // What is answered in the same turn cannot come too late.
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
          // Told of once, as too late.
          if (!isLate || !(outcome instanceof Failure)) resolve(finish(outcome))
        })
      })
    } catch (error) {
      return finish(toFailure(error))
    }
  }

  #report ({ answer: { unavailable }, code, cause }: Failure): void {
    // What the store did not try is counted with the request that went without an answer, as our own breaker's is.
    if (unavailable !== 'breaker' && unavailable !== 'overload') this.#options.onFailure(unavailable, code, cause)
  }
}

/** What a store answered, unless it is as good as none. */
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

/** The code of what was thrown is its word, if it looks like one: the word goes into reports that others read. */
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

/** Whether a store answered with a promise, of whatever make. */
function isThenable<Value> (value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
