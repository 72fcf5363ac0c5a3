/** A call under watch. */
export interface WatchedCall {
  /** Say how it ended. Only the first word counts, and none after it expired. */
  settle (isSuccess: boolean): void
}

/** Says whether a store may make a call now, and gives up one that takes too long. */
export interface CallWatch {
  /** `null` when no call may be made. Otherwise `onExpire` is called once, unless the call is settled in time. */
  begin (onExpire: () => void): WatchedCall | null
  close (): void
}
