import type { FastifyRequest } from 'fastify'
import { chargesOf } from './charges.js'
import type { Client } from './clients/client.js'
import type { Exemptions } from './clients/exemptions.js'
import { keepPlace } from './hold.js'
import type { RequestPath } from './hook.js'
import { Decision, lastDecisionOf } from './policies/decision.js'
import type { Policy } from './policies/policy.js'
import { rolledOut } from './policies/rollout.js'
import { delayOf, isUnavailable, type Answer, type Charge, type Receipt, type Store } from './stores/store.js'
import type { Reservation } from './throttle/waiting-room.js'

/**
 * Identify the client and charge it. `mayWait`: whether a request that a throttled policy would hold can be held; it is
 * refused otherwise. With a store that answers in the same turn and a client known by its address, so does this.
 */
export function decide (path: RequestPath, policy: Policy, request: FastifyRequest, mayWait: boolean): Decision | Promise<Decision> {
  if (path.exemptions !== null && isExempt(path, path.exemptions, request)) {
    return exempt(path, policy, request, path.identifier.byAddress(request))
  }
  const client = path.identifier.identify(request, policy)
  return client instanceof Promise
    ? chargeLater(path, policy, request, client, mayWait)
    : charge(path, policy, request, client, mayWait)
}

/** Whether a request is exempt whoever its user is. */
function isExempt ({ identifier }: RequestPath, exemptions: Exemptions, request: FastifyRequest): boolean {
  return exemptions.hasAddress(identifier.addressOf(request)) || exemptions.when(request)
}

async function chargeLater (path: RequestPath, policy: Policy, request: FastifyRequest, client: Promise<Client>, mayWait: boolean): Promise<Decision> {
  return charge(path, policy, request, await client, mayWait)
}

function exempt (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client): Decision {
  return new Decision(policy, client, 'exempt', path.store, lastDecisionOf(request))
}

function charge (path: RequestPath, base: Policy, request: FastifyRequest, identified: Client, mayWait: boolean): Decision | Promise<Decision> {
  const client = identified.kind === 'user' ? path.tiers.known(identified) : identified
  const ofClient = base.tiers === null && client.kind !== 'user' ? base : policyFor(path, base, client)
  if (ofClient === null) return exempt(path, base, request, client)
  const policy = ofClient.rollout === null ? ofClient : rolledOut(ofClient, ofClient.rollout, client.partition)
  // Before the store is asked, or all requests of a turn would find room for the last one.
  const place = mayWait && policy.throttle !== null ? path.room.reserve(policy.scope, client.partition, policy.throttle) : null
  const charges = chargesOf(path, policy, request, client, place !== null)
  const answer = path.store.take(charges)
  if (answer instanceof Promise) return concludeLater(path, policy, request, client, charges, answer, place)
  return place !== null || isUnavailable(answer)
    ? conclude(path, policy, request, client, charges, answer, place)
    : new Decision(policy, client, answer, path.store, lastDecisionOf(request), 0)
}

/** The policy of a client's tier; `null` where nothing limits the client. */
function policyFor ({ exemptions }: RequestPath, base: Policy, client: Client): Policy | null {
  if (client.kind === 'user' && exemptions !== null && exemptions.hasUser(client.id)) return null
  const policy = base.tiers === null ? base : base.tiers.get(client.tier)
  return policy === undefined ? base : policy
}

async function concludeLater (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client, charges: readonly Charge[], answer: Promise<Answer>, place: Reservation | null): Promise<Decision> {
  return conclude(path, policy, request, client, charges, await answer, place)
}

function conclude (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client, charges: readonly Charge[], answer: Answer, place: Reservation | null): Decision {
  if (!isUnavailable(answer)) return decisionOf(policy, request, client, answer, path.store, place)
  path.metrics?.countFallback(policy.failureMode, path.store.kind, answer.unavailable)
  if (policy.failureMode === 'local') {
    // A block that the store told of holds to its end, though the store is away.
    return decisionOf(policy, request, client, path.knownBlock(charges) ?? path.local.take(charges), path.local, place)
  }
  place?.release()
  return new Decision(policy, client, 'unavailable', path.store, lastDecisionOf(request))
}

function decisionOf (policy: Policy, request: FastifyRequest, client: Client, receipt: Receipt, store: Store, place: Reservation | null): Decision {
  const delayUs = place === null ? 0 : delayOf(receipt)
  const decision = new Decision(policy, client, receipt, store, lastDecisionOf(request), delayUs)
  if (place !== null && delayUs > 0) keepPlace(decision, place)
  else place?.release()
  return decision
}
