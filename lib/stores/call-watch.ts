/** A store call with a deadline. */
export interface GuardedCall {
  /** Record the outcome. Only the first call has an effect, and no call after the deadline. */
  settle (isSuccess: boolean): void
}

/** Decides whether a store may make a call now, and abandons a call that takes too long. */
export interface CallGuardPort {
  /** Returns `null` if no call may be made. Otherwise `onExpire` is called once, unless the call is settled in time. */
  begin (onExpire: () => void): GuardedCall | null
  close (): void
}
