// Histories that are written by hand.
import type { Decision, Fault, History } from './history.js'
import type { LimitPromise, PolicyPromise, Topology } from './promises.js'

export const MS = 1000
export const SECOND = 1_000_000

export const BUCKET: LimitPromise = { name: 'default', algorithm: 'token-bucket', max: 10, windowUs: SECOND, burst: 5 }
export const SLIDING: LimitPromise = { name: 'default', algorithm: 'sliding-window', max: 3, windowUs: SECOND, burst: 3 }
export const FIXED: LimitPromise = { ...SLIDING, algorithm: 'fixed-window' }

export function policyOf (limit: LimitPromise | readonly LimitPromise[], more: Partial<PolicyPromise> = {}): PolicyPromise {
  return { name: 'policy', failureMode: 'closed', limits: [limit].flat(), ...more }
}

/** A request at this time, in milliseconds, that was granted with nothing left. */
export function granted (atMs: number, more: Partial<Decision> = {}): Decision {
  return {
    instance: 0,
    policy: 0,
    client: 'client',
    status: 200,
    refusal: 'none',
    fromUs: atMs * MS,
    untilUs: atMs * MS + 100,
    waitUs: 1000,
    cost: 1,
    retryAfter: -1,
    remaining: 0,
    violated: 0,
    ...more
  }
}

export function refused (atMs: number, more: Partial<Decision> = {}): Decision {
  return granted(atMs, { status: 429, refusal: 'quota', retryAfter: 1, violated: 1, ...more })
}

export function blocked (atMs: number, more: Partial<Decision> = {}): Decision {
  return refused(atMs, { refusal: 'blocked', ...more })
}

export function unavailable (atMs: number, more: Partial<Decision> = {}): Decision {
  return granted(atMs, { status: 503, refusal: 'unavailable', retryAfter: 1, remaining: -1, ...more })
}

export function times<Made> (count: number, make: (i: number) => Made): Made[] {
  return Array.from({ length: count }, (_, i) => make(i))
}

export interface Scene {
  readonly policy: PolicyPromise
  readonly decisions: readonly Decision[]
  readonly faults?: readonly Fault[]
  readonly topology?: Topology
}

export function historyOf ({ policy, decisions, faults = [], topology = 'single' }: Scene): History {
  const promised = { deadlineUs: 250 * MS, backUs: 1500 * MS, silenceUs: 1500 * MS }
  return { header: { seed: 1, topology, slots: 4, policies: [policy], times: promised }, decisions: [...decisions], faults: [...faults] }
}

export function fault (kind: string, fromMs: number, untilMs: number, slot?: number): Fault {
  return { kind, fromUs: fromMs * MS, untilUs: untilMs * MS, ...slot === undefined ? {} : { slot } }
}
