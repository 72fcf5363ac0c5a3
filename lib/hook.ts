import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from './clients/client.js'
import { isThenable, type Identifier } from './clients/identify.js'
import { GLOBAL_PARTITION } from './clients/partition.js'
import type { FaultLog } from './observability/fault-log.js'
import { costOf } from './policies/cost.js'
import { Decision } from './policies/decision.js'
import type { Observer, Policy } from './policies/policy.js'
import type { HeaderWriter } from './response/headers.js'
import { refuse, refuseUnavailable } from './response/refuse.js'
import type { MemoryStore } from './stores/memory/store.js'
import { isUnavailable, type Answer, type Charge, type Store } from './stores/store.js'

/** What the path of a request needs; built once per registration. */
export interface RequestPath {
  readonly identifier: Identifier
  readonly store: Store
  /** Decides where the store cannot and the failure mode is `local`; the store itself where that is the memory. */
  readonly local: MemoryStore
  /** When to come back after a 503, seconds. */
  readonly retryUnavailableSeconds: number
  readonly writeHeaders: HeaderWriter
  readonly faults: FaultLog
}

export type Next = (error?: Error) => void

/**
 * The path of a limited request: identify, charge, decide, answer. Calls `next` when the request may go on, with an
 * error when the application's error handler is to answer, and not at all when the refusal was sent.
 * With a store that answers in the same turn, and no asynchronous key, all of it happens in this turn.
 */
export function limitRequest (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void {
  const decision = decide(path, policy, request)
  if (decision instanceof Promise) {
    decision.then((settled) => answer(path, policy, request, reply, settled, next), next)
  } else {
    answer(path, policy, request, reply, decision, next)
  }
}

/** The same for a hook that may run more than once on a request: a policy charges it once. */
export function limitOnce (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void {
  if (request.rateLimit !== null && request.rateLimit.wasMadeUnder(policy)) next()
  else limitRequest(path, policy, request, reply, next)
}

/** Identify the client and charge it. */
export function decide (path: RequestPath, policy: Policy, request: FastifyRequest): Decision | Promise<Decision> {
  const client = path.identifier.identify(request, policy)
  return client instanceof Promise
    ? client.then((identified) => charge(path, policy, request, identified))
    : charge(path, policy, request, client)
}

function charge (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client): Decision | Promise<Decision> {
  const charges = chargesOf(path, policy, request, client)
  const answer = path.store.take(charges)
  return answer instanceof Promise
    ? answer.then((settled) => conclude(path, policy, request, client, charges, settled))
    : conclude(path, policy, request, client, charges, answer)
}

function conclude (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client, charges: Charge[], answer: Answer): Decision {
  if (!isUnavailable(answer)) return new Decision(policy, client, answer, path.store, request.rateLimit)
  return policy.failureMode === 'local'
    ? new Decision(policy, client, path.local.take(charges), path.local, request.rateLimit)
    : new Decision(policy, client, null, path.store, request.rateLimit)
}

function chargesOf (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client): Charge[] {
  const cost = costOf(request, policy, path.faults)
  const { limits } = policy
  const charges: Charge[] = []
  for (let i = 0; i < limits.length; i++) {
    charges.push({ limit: limits[i], partition: partitionOf(path, limits[i].by, request, client), cost })
  }
  return charges
}

function partitionOf (path: RequestPath, by: Charge['limit']['by'], request: FastifyRequest, client: Client): string {
  switch (by) {
    case 'client': return client.partition
    case 'ip': return client.kind === 'ip' ? client.partition : path.identifier.byAddress(request).partition
    case 'global': return GLOBAL_PARTITION
    default: return by satisfies never
  }
}

function answer (path: RequestPath, policy: Policy, request: FastifyRequest, reply: FastifyReply, decision: Decision, next: Next): void {
  request.rateLimit = decision
  switch (decision.outcome) {
    case 'allowed':
      path.writeHeaders(reply, policy, decision)
      if (policy.onExceeding !== null) observe(path, 'onExceeding', policy.onExceeding, request, decision)
      next()
      return
    case 'rejected':
      path.writeHeaders(reply, policy, decision)
      if (policy.onExceeded !== null) observe(path, 'onExceeded', policy.onExceeded, request, decision)
      refuse(request, reply, policy, decision, path.faults, next)
      return
    case 'unavailable':
      if (policy.failureMode === 'closed') refuseUnavailable(request, reply, policy, decision, path.retryUnavailableSeconds, path.faults, next)
      else next()
      return
    default: decision.outcome satisfies never
  }
}

/** A callback that throws, or whose promise rejects, is logged and never fatal. */
function observe (path: RequestPath, source: 'onExceeding' | 'onExceeded', observer: Observer, request: FastifyRequest, decision: Decision): void {
  try {
    const result: unknown = observer(request, decision)
    if (isThenable(result)) result.then(undefined, (error) => path.faults.report(source, error))
  } catch (error) {
    path.faults.report(source, error)
  }
}
