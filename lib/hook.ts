import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Exemptions } from './clients/exemptions.js'
import type { Identifier } from './clients/identify.js'
import { isThenable } from './clients/thenable.js'
import type { TierNames } from './clients/tiers.js'
import { decide } from './decide.js'
import { hold } from './hold.js'
import { publishDecision } from './observability/channels.js'
import type { FaultLog } from './observability/fault-log.js'
import type { Metrics } from './observability/metrics.js'
import type { RefusalLog } from './observability/refusal-log.js'
import { lastDecisionOf, policyOf, standingsOf, type Decision, type Outcome } from './policies/decision.js'
import type { Observer, Policy } from './policies/policy.js'
import type { RouteConfig } from './policies/route-config.js'
import type { HeaderWriter } from './response/headers.js'
import { refuse, refuseUnavailable } from './response/refuse.js'
import { onSettled } from './settle.js'
import type { MemoryStore } from './stores/memory/store.js'
import type { Charge, Receipt, Store } from './stores/store.js'
import type { WaitingRoom } from './throttle/waiting-room.js'

/** What the path of a request needs; built once per edition. */
export interface RequestPath {
  /** The registration's name. */
  readonly registration: string
  readonly identifier: Identifier
  /** `null` where nobody is exempt. */
  readonly exemptions: Exemptions | null
  readonly tiers: TierNames
  readonly store: Store
  /** Decides where the store cannot and the failure mode is `local`; the store itself where that is the memory. */
  readonly local: MemoryStore
  /** The refusal of whom the store is known to block, for the time in which it cannot be asked. */
  readonly knownBlock: (charges: readonly Charge[]) => Receipt | null
  readonly room: WaitingRoom
  /** When to come back after a 503, seconds. */
  readonly retryUnavailableSeconds: number
  readonly writeHeaders: HeaderWriter
  /** `null` where refusals are not logged. */
  readonly refusals: RefusalLog | null
  /** `null` where nothing is counted. */
  readonly metrics: Metrics | null
  readonly configOf: (request: FastifyRequest) => RouteConfig
  readonly faults: FaultLog
}

export type Next = (error?: Error) => void

/**
 * The path of a limited request: identify, charge, decide, answer. Calls `next` when the request may go on, with an
 * error when the application's error handler is to answer, and not at all when the refusal was sent.
 * With a store that answers in the same turn, and a client known by its address, all of it happens in this turn.
 */
function limitRequest (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void {
  const decision = decide(path, policy, request, true)
  if (decision instanceof Promise) answerLater(path, request, reply, decision, next)
  else answer(path, policyOf(decision), request, reply, decision, next)
}

/** By itself, as is all on this path that waits: a function with a closure in it allocates its variables at every call. */
function answerLater (path: RequestPath, request: FastifyRequest, reply: FastifyReply, pending: Promise<Decision>, next: Next): void {
  pending.then((decision) => answer(path, policyOf(decision), request, reply, decision, next), next)
}

/** The same for a hook that may run more than once on a request: a policy charges it once. */
export function limitOnce (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void {
  if (lastDecisionOf(request)?.wasMadeUnder(policy) === true) next()
  else limitRequest(path, policy, request, reply, next)
}

function answer (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, decision: Decision, next: Next): void {
  request.rateLimit = decision
  tell(path, request, policy, decision)
  if (policy.hasTrial) logTrials(path, policy, request, decision)
  if (decision.outcome === 'allowed') letPass(path, policy, request, reply, decision, next)
  else answerOther(decision.outcome, path, policy, request, reply, decision, next)
}

/** Count a decision, and tell subscribers of it. */
export function tell (path: RequestPath, request: FastifyRequest, policy: Policy, decision: Decision): void {
  if (path.metrics !== null) path.metrics.countDecision(path.configOf(request), decision, standingsOf(decision))
  publishDecision(path.registration, request, policy, decision)
}

function answerOther (outcome: Exclude<Outcome, 'allowed'>, path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, decision: Decision, next: Next): void {
  switch (outcome) {
    case 'delayed':
      letPassWhenDue(path, policy, request, reply, decision, next)
      return
    case 'rejected':
    case 'blocked':
      path.writeHeaders(reply, policy, decision)
      path.refusals?.refused(request, policy, decision)
      if (policy.onExceeded !== null) observe(path, 'onExceeded', policy.onExceeded, request, decision)
      if (policy.onBlocked !== null && decision.beganBlock) observe(path, 'onBlocked', policy.onBlocked, request, decision)
      refuse(request, reply, policy, decision, path.faults, next)
      return
    case 'unavailable':
      if (decision.isRefused) refuseForWantOfStore(path, policy, request, reply, decision, next)
      else next()
      return
    case 'exempt':
      next()
      return
    default: outcome satisfies never
  }
}

function letPass (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, decision: Decision, next: Next): void {
  path.writeHeaders(reply, policy, decision)
  if (policy.onExceeding !== null) observe(path, 'onExceeding', policy.onExceeding, request, decision)
  if (policy.refundOn !== null) refundWhenOver(policy.refundOn, reply, decision)
  next()
}

function letPassWhenDue (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, decision: Decision, next: Next): void {
  hold(policy, reply, decision,
    () => {
      path.metrics?.observeDelay(decision.delayUs / 1_000_000)
      letPass(path, policy, request, reply, decision, next)
    },
    () => refuseForWantOfStore(path, policy, request, reply, decision, next))
}

function refuseForWantOfStore (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, decision: Decision, next: Next): void {
  path.refusals?.refused(request, policy, decision, path.retryUnavailableSeconds * 1000)
  refuseUnavailable(request, reply, policy, decision, path.retryUnavailableSeconds, path.faults, next)
}

/** What limits in shadow mode would have refused. */
function logTrials ({ refusals }: RequestPath, policy: Policy, request: FastifyRequest, decision: Decision): void {
  if (refusals === null) return
  for (const standing of decision.standings) {
    if (standing.mode === 'shadow' && standing.isExceeded) refusals.wouldBeRefused(request, policy, decision, standing)
  }
}

/** A response that was not sent to its end gives nothing back: its client may have left to get the work for free. */
function refundWhenOver (statuses: NonNullable<Policy['refundOn']>, reply: FastifyReply, decision: Decision): void {
  onSettled(reply, ({ isComplete, status }) => {
    if (isComplete && status !== null && statuses.has(status)) decision.refundAll()
  })
}

/** A callback that throws, or whose promise rejects, is logged and never fatal. */
function observe (path: RequestPath, source: 'onExceeding' | 'onExceeded' | 'onBlocked', observer: Observer, request: FastifyRequest, decision: Decision): void {
  try {
    const result: unknown = observer(request, decision)
    if (isThenable(result)) result.then(undefined, (error) => path.faults.report(source, error))
  } catch (error) {
    path.faults.report(source, error)
  }
}
