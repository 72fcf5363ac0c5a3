/** A call under watch. */
export interface GuardedCall {
  /** Say how it ended. Only the first word counts, and none after it expired. */
  settle (isSuccess: boolean): void
}

/** Says whether a store may make a call now, and gives up one that takes too long. */
export interface CallGuardPort {
  /** `null` when no call may be made. Otherwise `onExpire` is called once, unless the call is settled in time. */
  begin (onExpire: () => void): GuardedCall | null
  close (): void
}
