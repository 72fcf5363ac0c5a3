import { FST_SLUICE_STORE } from '../../errors.js'
import type { Clock } from '../../common/clock.js'
import type { FailureReason, Store } from '../store.js'
import type { CallGuardPort, GuardedCall } from '../call-watch.js'
import type { ConnectionPool } from './connections.js'
import { BAD_REPLY, parseReplyCode, toFailureCode } from './failure-code.js'
import type { Script } from './scripts.js'

/** The method of a store call. */
export type Operation = keyof Pick<Store, 'take' | 'adjust' | 'reset'>

export interface ScriptRunnerOptions {
  readonly pool: ConnectionPool
  readonly callGuard: CallGuardPort
  /** Called after each failure with the reason and the error code of Redis. */
  readonly onFailure: (reason: FailureReason, code: string) => void
  /** Called once, when an endpoint that is not a Cluster client's enforces slots: from then on, each partition has its own calls. */
  readonly onSlotsEnforced?: () => void
  readonly clock: Clock
  /** Called after each successful call, also a late one, with its duration in microseconds, including connecting and queueing. */
  readonly onAnswer: (operation: Operation, tookUs: number) => void
  /** For tests: the time that the scripts use instead of the clock of Redis, microseconds. */
  readonly timeUs?: () => number
}

/** Errors of a single key: it has a wrong type, or had a damaged value. They are not failures of Redis. */
const KEY_ERRORS: ReadonlySet<string> = new Set(['WRONGTYPE', 'DAMAGED'])

/** Sends script calls with a deadline and reports their failures. */
export class ScriptRunner {
  readonly #options: ScriptRunnerOptions
  /** How far the clock of Redis is ahead of this one, as far as it was noted. */
  #aheadUs = 0

  constructor (options: ScriptRunnerOptions) {
    this.#options = options
  }

  /** The supposed time of Redis, microseconds since 1970. Only the periods of calendar windows depend on it, and Redis checks them. */
  get redisTimeUs (): number {
    return this.#options.clock.nowUs() + this.#aheadUs
  }

  /** Note the time of Redis, after it was in no period of a call. The call can be made again then. */
  noteRedisTime (redisUs: number): void {
    this.#aheadUs = redisUs - this.#options.clock.nowUs()
  }

  /** Guard a call. Returns `null` if no call may be made. `onExpire` is called with an error code unless the call is settled in time. */
  begin (operation: Operation, onExpire: (code: string) => void): GuardedCall | null {
    const { callGuard, clock, onAnswer, pool } = this.#options
    const call = callGuard.begin(() => { onExpire(pool.explainDeadline()) })
    if (call === null) return null
    const beganUs = clock.nowUs()
    return {
      settle (isSuccess) {
        if (isSuccess) onAnswer(operation, clock.nowUs() - beganUs)
        call.settle(isSuccess)
      }
    }
  }

  evalScript (script: Script, keys: readonly string[], args: Buffer[]): Promise<unknown> {
    const { pool, timeUs } = this.#options
    return pool.evalScript(script, keys, timeUs === undefined ? args : [...args, Buffer.from(String(timeUs()))])
  }

  /**
   * Make a call and return its reply. `findError` returns the text of a Redis error inside the reply, or '', or `null` if
   * the reply is not in the format of the script. It must not throw. Rejects with FST_SLUICE_STORE, within the deadline.
   */
  call (
    operation: Operation, script: Script, keys: readonly string[], args: Buffer[],
    findError: (reply: unknown) => string | null
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.begin(operation, (code) => {
        this.report('deadline', code)
        reject(new FST_SLUICE_STORE('deadline', code))
      })
      if (call === null) {
        reject(new FST_SLUICE_STORE('breaker', 'circuit breaker is open'))
        return
      }
      const fail = (reason: FailureReason, code: string, cause?: unknown) => {
        this.report(reason, code)
        call.settle(false)
        reject(new FST_SLUICE_STORE(reason, code, { cause }))
      }
      this.evalScript(script, keys, args).then((reply) => {
        const errorText = findError(reply)
        if (errorText === null) return fail('error', BAD_REPLY)
        this.settle(call, errorText)
        resolve(reply)
      }, (error) => { fail(toFailureReason(error), this.#options.pool.explainError(error), error) })
    })
  }

  /** Settle a call that was answered. `errorText`: the error inside the reply, or ''. */
  settle (call: GuardedCall | null, errorText: string): void {
    // Before the breaker records it: a state change is logged with the failure that caused it.
    if (errorText !== '') this.report('error', parseReplyCode(errorText))
    call?.settle(errorText === '' || KEY_ERRORS.has(parseReplyCode(errorText)))
  }

  /** Whether Redis refused a call with keys of several slots, of which it ran nothing. Calls are then made per partition. */
  detectSlots (error: unknown): boolean {
    const { pool, onSlotsEnforced } = this.#options
    if (toFailureCode(error) !== 'CROSSSLOT' || !pool.separateSlots()) return false
    onSlotsEnforced?.()
    return true
  }

  report (reason: FailureReason, code: string): void {
    // After a bad reply, all later replies of the connection may be out of step.
    if (code === 'READONLY' || code === BAD_REPLY) this.#options.pool.reconnect(code)
    this.#options.onFailure(reason, this.#options.pool.formatCode(code))
  }
}

/** Whether Redis replied with an error, or was not reached. */
export function toFailureReason (error: unknown): FailureReason {
  return error instanceof Error && error.name === 'ReplyError' ? 'error' : 'connection'
}
