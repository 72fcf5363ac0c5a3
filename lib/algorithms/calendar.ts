/** How long the periods of a limit are: the option `period`. */
export type PeriodUnit = 'hour' | 'day' | 'week' | 'month' | 'year'

/** A period of a calendar: all instants from `startUs` on, before `endUs`. Microseconds since 1970. */
export interface Period {
  readonly startUs: number
  readonly endUs: number
}

/** Divides time into periods, such as the months of a time zone. Each instant is in exactly one of them. */
export interface Calendar {
  readonly unit: PeriodUnit
  /** The rule of the periods as text, such as `month in Europe/Berlin`. */
  readonly description: string
  /** Whether each client has periods of its own. */
  readonly isPerClient: boolean
  /**
   * Whether units in use keep the end of their period, although it is not one of this calendar: the periods of the client are
   * not known.
   */
  readonly keepsEnd: boolean
  /** The period of an instant, microseconds since 1970. */
  periodAt (us: number): Period
}
