import { FST_SLUICE_STORE } from '../../errors.js'
import type { Clock } from '../../common/clock.js'
import type { FailureReason, Store } from '../store.js'
import type { CallGuardPort, GuardedCall } from '../call-watch.js'
import { toFailureCode, parseReplyCode, type ConnectionPool } from './connections.js'
import type { Script } from './scripts.js'

/** What a call is for. */
export type Operation = keyof Pick<Store, 'take' | 'adjust' | 'reset'>

export interface ScriptRunnerOptions {
  readonly pool: ConnectionPool
  readonly callGuard: CallGuardPort
  /** Hears of each failure: the reason, and Redis's own word for it. */
  readonly onFailure: (reason: FailureReason, code: string) => void
  readonly clock: Clock
  /** Hears of each call that succeeded, also of one that came too late: how long it took, connecting and queueing included, microseconds. */
  readonly onAnswer: (operation: Operation, tookUs: number) => void
  /** For tests: the time that the scripts go by instead of Redis's own, microseconds. */
  readonly timeUs?: () => number
}

/** Script calls: how they are sent, watched, and how their failures are told. */
export class ScriptRunner {
  readonly #options: ScriptRunnerOptions

  constructor (options: ScriptRunnerOptions) {
    this.#options = options
  }

  /** Watch a call. `null` where none may be made; else `onExpire` hears why it got no answer, unless it is settled in time. */
  begin (operation: Operation, onExpire: (code: string) => void): GuardedCall | null {
    const { callGuard, clock, onAnswer } = this.#options
    const call = callGuard.begin(() => { onExpire(this.#deadlineCode()) })
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
   * A call whose failure is an error. `findError` finds Redis's error in a reply that is not one itself.
   * Rejects with FST_SLUICE_STORE, within the deadline.
   */
  call (operation: Operation, script: Script, keys: readonly string[], args: Buffer[], findError: (reply: unknown) => string = () => ''): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.begin(operation, (code) => {
        this.report('deadline', code)
        reject(new FST_SLUICE_STORE('deadline', code))
      })
      if (call === null) {
        reject(new FST_SLUICE_STORE('breaker', 'no call is made for a while'))
        return
      }
      this.evalScript(script, keys, args).then((reply) => {
        this.settle(call, findError(reply))
        resolve(reply)
      }, (error) => {
        this.report(toFailureReason(error), toFailureCode(error))
        call.settle(false)
        reject(new FST_SLUICE_STORE(toFailureReason(error), toFailureCode(error), { cause: error }))
      })
    })
  }

  /** Settle a call that was answered, with the error that the answer tells of, or none. */
  settle (call: GuardedCall | null, errorText: string): void {
    // Before the breaker hears of it: its change is logged with the failure that caused it.
    if (errorText !== '') this.report('error', parseReplyCode(errorText))
    // A key of the wrong type is that key's fault, not Redis's.
    call?.settle(errorText === '' || parseReplyCode(errorText) === 'WRONGTYPE')
  }

  report (reason: FailureReason, code: string): void {
    if (code === 'READONLY') this.#options.pool.reconnect()
    this.#options.onFailure(reason, code)
  }

  /** Why a call got no answer in time: what keeps the connection from being made, where there is none. */
  #deadlineCode (): string {
    const { pool } = this.#options
    return pool.isReady ? 'DEADLINE' : pool.lastErrorCode ?? 'DEADLINE'
  }
}

/** Whether Redis said no, or could not be asked. */
export function toFailureReason (error: unknown): FailureReason {
  return error instanceof Error && error.name === 'ReplyError' ? 'error' : 'connection'
}
