import type { Decision } from '../model/decision.js'

/** What a response describes of a decision, or of several. */
export type Described = Pick<Decision, 'outcome' | 'limitName' | 'limit' | 'remaining' | 'resetAfterMs' | 'retryAfterMs' | 'standings'>

/** The fields of a policy that the headers need. */
export interface HeaderPolicy {
  /** Whether a limit may refuse. If not, no headers are written. */
  readonly isEnforced: boolean
  /** The value of `RateLimit-Policy`; `null` if it depends on the request. */
  readonly policyField: string | null
}
