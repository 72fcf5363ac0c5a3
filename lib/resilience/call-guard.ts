import type { Clock } from '../common/clock.js'
import type { CallGuardPort, GuardedCall } from '../stores/call-watch.js'
import { Breaker, type BreakerOptions, type BreakerState } from './breaker.js'
import { Deadline } from './deadline.js'

/**
 * Guards calls to a store: each call has a deadline, and its outcome is recorded in the breaker. A call takes real time, so
 * its deadline is never on a clock that a test moves.
 */
export class CallGuard implements CallGuardPort {
  readonly #deadline: Deadline
  readonly #breaker: Breaker

  constructor (
    deadlineMs: number, breaker: BreakerOptions, clock: Clock, onChange: (state: BreakerState) => void, breakerClock: Clock = clock
  ) {
    this.#deadline = new Deadline(deadlineMs, clock)
    this.#breaker = new Breaker(breaker, breakerClock, onChange)
  }

  get breaker (): Breaker {
    return this.#breaker
  }

  begin (onExpire: () => void): GuardedCall | null {
    const permit = this.#breaker.admit()
    if (permit === null) return null
    let isOver = false
    const unwatch = this.#deadline.watch(() => {
      isOver = true
      // Before the breaker records it: a state change is logged with the failure that caused it.
      onExpire()
      this.#breaker.record(permit, false)
    })
    return {
      settle: (isSuccess) => {
        if (isOver) return
        isOver = true
        unwatch()
        this.#breaker.record(permit, isSuccess)
      }
    }
  }

  close (): void {
    this.#deadline.close()
  }
}
