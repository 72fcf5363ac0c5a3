import { channel } from 'node:diagnostics_channel'
import type { FastifyRequest } from 'fastify'
import type { Decision } from '../model/decision.js'
import type { BreakerState } from '../resilience/breaker.js'

/*
 * Channels of node:diagnostics_channel, for tracers and the like. They belong to the process, so every message names its
 * registration. Subscribers run in the same turn as what they are told of. One that throws stops neither that nor the
 * other subscribers, but Node.js then raises an uncaught exception, which ends a process that does not handle it.
 */

/** What was decided for a request. */
export const DECISION_CHANNEL = 'fastify-sluice:decision'
/** That the breaker of a store changed. */
export const BREAKER_CHANNEL = 'fastify-sluice:breaker'
/** That a new configuration was taken, or not. */
export const RELOAD_CHANNEL = 'fastify-sluice:reload'

/** On `fastify-sluice:decision`: one for each decision, those of exempt requests and of `fastify.rateLimit.check` too. */
export interface DecisionMessage {
  /** The registration's name. */
  readonly registration: string
  readonly request: FastifyRequest
  readonly decision: Decision
  /** Whose buckets were charged, such as `default` or `rule:reports`. */
  readonly scope: string
  /** `shadow` where no limit may refuse. */
  readonly mode: 'enforce' | 'shadow'
}

/** On `fastify-sluice:breaker`. */
export interface BreakerMessage {
  readonly registration: string
  /** The kind of store, such as `redis`. */
  readonly store: string
  readonly state: BreakerState
  /** The last failure's code, such as `OOM`, `DEADLINE` or `CONNECTION`; `null` where there was none. */
  readonly lastError: string | null
}

/** On `fastify-sluice:reload`: a new configuration is in force, or has mistakes and the old one stays. */
export type ReloadMessage =
  | { readonly registration: string, readonly source: ReloadSource, readonly result: 'success' }
  | { readonly registration: string, readonly source: ReloadSource, readonly result: 'failure', readonly error: unknown }

/** What asked for a reload: a change of the config file, SIGHUP, a call, or an operator who switched limits on or off. */
export type ReloadSource = 'file' | 'signal' | 'call' | 'operator'

// Held here: the process forgets a channel that nobody holds.
const decisions = channel(DECISION_CHANNEL)
const breakers = channel(BREAKER_CHANNEL)
const reloads = channel(RELOAD_CHANNEL)

/** Tell subscribers of a decision. Where there are none it makes nothing. */
export function publishDecision (registration: string, request: FastifyRequest, policy: { readonly scope: string, readonly isEnforced: boolean }, decision: Decision): void {
  if (!decisions.hasSubscribers) return
  const message: DecisionMessage = { registration, request, decision, scope: policy.scope, mode: policy.isEnforced ? 'enforce' : 'shadow' }
  decisions.publish(message)
}

export function publishBreaker (message: BreakerMessage): void {
  breakers.publish(message)
}

export function publishReload (message: ReloadMessage): void {
  reloads.publish(message)
}
