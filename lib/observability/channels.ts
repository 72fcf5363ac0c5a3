import { channel } from 'node:diagnostics_channel'
import type { FastifyRequest } from 'fastify'
import type { Decision } from '../model/decision.js'
import type { BreakerState } from '../resilience/breaker.js'

/*
 * Channels of node:diagnostics_channel, for tracers and other listeners. They belong to the process, so every message names
 * its registration. Subscribers run synchronously. One that throws affects neither the request nor other subscribers, but
 * Node.js then raises an uncaught exception, which ends a process that does not handle it.
 */

/** A decision about a request. */
export const DECISION_CHANNEL = 'fastify-sluice:decision'
/** A change of a store's breaker. */
export const BREAKER_CHANNEL = 'fastify-sluice:breaker'
/** A new configuration was applied, or rejected. */
export const RELOAD_CHANNEL = 'fastify-sluice:reload'

/** On `fastify-sluice:decision`: one per decision, including those of exempt requests, of `fastify.rateLimit.check` and of `consume`. */
export interface DecisionMessage {
  /** The registration's name. */
  readonly registration: string
  /** `null` for a decision of `fastify.rateLimit.consume`. */
  readonly request: FastifyRequest | null
  readonly decision: Decision
  /** The scope of the charged buckets, such as `default` or `rule:reports`. */
  readonly scope: string
  /** `shadow` if no limit may refuse. */
  readonly mode: 'enforce' | 'shadow'
}

/** On `fastify-sluice:breaker`. */
export interface BreakerMessage {
  readonly registration: string
  /** The kind of store, such as `redis`. */
  readonly store: string
  readonly state: BreakerState
  /** The last failure's code, such as `OOM`, `DEADLINE` or `CONNECTION`; `null` without a failure. */
  readonly lastError: string | null
}

/** On `fastify-sluice:reload`: a new configuration was applied, or has errors and the old one stays. */
export type ReloadMessage =
  | { readonly registration: string, readonly source: ReloadSource, readonly result: 'success' }
  | { readonly registration: string, readonly source: ReloadSource, readonly result: 'failure', readonly error: unknown }

/** The cause of a reload: a change of the config file, SIGHUP, a call, or an operator who switched limits on or off. */
export type ReloadSource = 'file' | 'signal' | 'call' | 'operator'

// Strong references: Node.js drops a channel without any.
const decisions = channel(DECISION_CHANNEL)
const breakers = channel(BREAKER_CHANNEL)
const reloads = channel(RELOAD_CHANNEL)

/** Publishes a decision. Allocates nothing without subscribers. */
export function publishDecision (
  registration: string,
  request: FastifyRequest | null,
  policy: { readonly scope: string, readonly isEnforced: boolean },
  decision: Decision
): void {
  if (!decisions.hasSubscribers) return
  const mode = policy.isEnforced ? 'enforce' : 'shadow'
  const message: DecisionMessage = { registration, request, decision, scope: policy.scope, mode }
  decisions.publish(message)
}

export function publishBreaker (message: BreakerMessage): void {
  breakers.publish(message)
}

export function publishReload (message: ReloadMessage): void {
  reloads.publish(message)
}
