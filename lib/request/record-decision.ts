import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientIdentifier } from '../clients/identifier.js'
import type { RecordedDecision, Recorder } from '../observability/recording/recorder.js'
import type { Policy } from '../policies/policy.js'
import { findStaticCost, findUnits, type Cost } from './cost.js'
import type { RequestDecision } from './decision.js'
import { onFinished } from './on-finished.js'

const NOT_FOUND = 404

/** What requests cost whose decisions are recorded. */
const costs = new WeakMap<FastifyRequest, Cost>()

/** Keep the cost of a request for its record. */
export function noteCost (request: FastifyRequest, cost: Cost): void {
  costs.set(request, cost)
}

interface RecordContext {
  readonly recorder: Recorder
  readonly identifier: ClientIdentifier
}

/** Record a decision. If units may be refunded by the status of the response, that is recorded at its end. */
export function recordDecision ({ recorder, identifier }: RecordContext, decision: RequestDecision, reply: FastifyReply): void {
  const { request } = reply
  const recorded: RecordedDecision = {
    timeUs: recorder.nowUs,
    method: request.method,
    url: request.url,
    route: request.routeOptions.url ?? null,
    status: request.is404 ? NOT_FOUND : null,
    client: decision.client,
    addressClient: identifier.identifyByAddress(request),
    address: identifier.getAddress(request),
    cost: describeCost(decision.policy, costs.get(request) ?? findStaticCost(decision.policy)),
    outcome: isTierUnlimited(decision) ? 'unlimited' : decision.outcome,
    limit: decision.isRefused ? decision.limitName : null,
    scope: decision.policy.scope
  }
  if (decision.policy.refundOn === null || decision.isRefused) {
    recorder.record(recorded)
    return
  }
  const id = recorder.recordWithId(recorded)
  onFinished(reply, ({ isComplete, status }) => { if (isComplete) recorder.recordStatus(id, status) })
}

/** A tier without limits is one of the configuration, under which a replay decides again. */
function isTierUnlimited ({ outcome, policy: { tiers }, client: { kind, tier } }: RequestDecision): boolean {
  return outcome === 'exempt' && kind === 'user' && tiers !== null && tiers.get(tier) === null
}

function describeCost (policy: Policy, cost: Cost): RecordedDecision['cost'] {
  if (typeof cost === 'number') return cost
  return Object.fromEntries(policy.limits.map((limit) => [limit.name, findUnits(cost, policy, limit)]))
}
