import type { Decision } from '../history.js'
import type { Span } from './outages.js'

export type ViolationKind =
  | 'over-admission' | 'under-admission' | 'all or none' | 'Retry-After too short' | 'Retry-After too long' | 'late answer' | 'no answer'
  | 'wrong answer' | 'not enforced' | 'block not kept' | 'block too early'

/** A promise that was not kept, with the time that proves it. */
export interface Violation extends Span {
  readonly kind: ViolationKind
  readonly policy: number
  /** The client, or `*` for a bucket that all share. */
  readonly client: string
  readonly what: string
  readonly decision?: Decision
}
