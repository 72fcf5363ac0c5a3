// The decisions of one bucket, sorted by what they prove.
import type { Decision, History } from '../history.js'
import type { LimitPromise, PolicyPromise } from '../promises.js'
import type { Outages } from './outages.js'
import type { Charge } from './charges.js'
import { findExcess } from './over-admission.js'
import { createExcuse, type Excuse, type Refusal } from './under-admission.js'
import type { Violation } from './violation.js'

/** A call that was sent by a process that is gone, or that was given up, may be executed so much later. Microseconds. */
const LATE_CALL_US = 2_000_000
/** Other instances believe a refusal for so long, also if its reason was given back. Microseconds. */
const REMEMBERED_US = 1_000_000

/** One limit of a policy, and all decisions about one of its buckets. */
export interface Bucket {
  readonly policy: PolicyPromise
  readonly policyIndex: number
  readonly limitIndex: number
  readonly client: string
  readonly decisions: readonly Decision[]
}

/** Units that a client was granted and that were counted. */
export function isCounted ({ status, remaining }: Decision): boolean {
  return status === 200 && remaining >= 0
}

/** Check one bucket for too many and too few grants. */
export function checkBucket (bucket: Bucket, history: History, outages: Outages): Violation[] {
  const returned = findReturned(bucket, history)
  return [...findOver(bucket, returned, outages), ...findUnder(bucket, returned, outages)]
}

function limitOf ({ policy, limitIndex }: Bucket): LimitPromise {
  return policy.limits[limitIndex]
}

/** Whether the memory of the instance may have decided, instead of the store. */
function mayBeLocal (policy: PolicyPromise, decision: Decision, outages: Outages): boolean {
  return policy.failureMode === 'local' && outages.awayUntilUs(decision.instance, decision) !== null
}

function toCharge ({ fromUs, untilUs, cost }: Decision): Charge {
  return { fromUs, untilUs, units: cost }
}

/** On a Cluster, limits on different slots are charged one after the other, and a refusal gives the first units back. */
function findReturned ({ policy, decisions }: Bucket, { header }: History): Charge[] {
  const isSplit = header.topology === 'cluster' && policy.limits.some(({ isShared }) => isShared)
  return isSplit ? decisions.filter((decision) => !isCounted(decision)).map(toCharge) : []
}

function findOver (bucket: Bucket, returned: readonly Charge[], outages: Outages): Violation[] {
  const limit = limitOf(bucket)
  const shared: Charge[] = []
  const possible: Charge[] = []
  const ofInstance = new Map<number, Charge[]>()
  for (const decision of bucket.decisions) {
    const charge = toCharge(decision)
    if (!isCounted(decision)) {
      if (decision.status !== 429) possible.push(withLateEnd(decision, outages))
    } else if (mayBeLocal(bucket.policy, decision, outages)) {
      possible.push(charge)
      const own = ofInstance.get(decision.instance)
      if (own === undefined) ofInstance.set(decision.instance, [charge])
      else own.push(charge)
    } else shared.push(charge)
  }
  const { losses } = outages
  const found = [
    { excess: findExcess({ limit, sure: shared, possible, losses, returned, budgets: 1 }), by: 'all instances together' },
    // The store may have decided some of these, and the instance the others.
    ...Array.from(ofInstance, ([instance, sure]) => ({
      excess: findExcess({ limit, sure, possible: [], losses, returned, budgets: 2 }), by: `instance ${instance}, while the store was away`
    }))
  ]
  return found.flatMap(({ excess, by }) => excess === null
    ? []
    : [{
        kind: 'over-admission',
        policy: bucket.policyIndex,
        client: bucket.client,
        fromUs: excess.fromUs,
        untilUs: excess.untilUs,
        what: `limit ${limit.name}: ${excess.units} units were granted by ${by}, at most ${excess.allowed.toFixed(2)} are promised`
      }])
}

/** A charge that may have been made at any time until calls of its time are over. */
function withLateEnd (decision: Decision, outages: Outages): Charge {
  const { fromUs, untilUs, cost } = decision
  const awayUs = outages.awayUntilUs(decision.instance, decision) ?? 0
  return { fromUs, untilUs: Math.max(untilUs + (decision.status === 0 ? LATE_CALL_US : 0), awayUs), units: cost }
}

function findUnder (bucket: Bucket, returned: readonly Charge[], outages: Outages): Violation[] {
  const limit = limitOf(bucket)
  const { decisions, policy, policyIndex, client } = bucket
  const refusals = decisions.filter((decision) => isRefusedBy(decision, bucket.limitIndex)).sort((a, b) => a.fromUs - b.fromUs)
  if (refusals.length === 0) return []
  const charges = decisions.flatMap((decision) => toPossibleCharges(decision, bucket, outages))
  const excuse = createExcuse({ limit, charges, returned: returned.map((charge) => ({ ...charge, untilUs: charge.untilUs + REMEMBERED_US })) })
  const excuseOfInstance = createInstanceExcuses(bucket, outages)
  const wrong = refusals.find((decision) => {
    const refusal = { ...decision, decision }
    const isRight = excuse(refusal)
    return !isRight && !(mayBeLocal(policy, decision, outages) && excuseOfInstance(refusal))
  })
  if (wrong === undefined) return []
  return [{
    kind: isChargedByRefusals(wrong, bucket, charges) ? 'all or none' : 'under-admission',
    policy: policyIndex,
    client,
    fromUs: wrong.fromUs,
    untilUs: wrong.untilUs,
    what: `limit ${limit.name} refused ${wrong.cost} units, though it cannot have been used up`,
    decision: wrong
  }]
}

function isRefusedBy ({ refusal, violated }: Decision, limitIndex: number): boolean {
  return refusal === 'quota' && (violated & 1 << limitIndex) !== 0
}

/** All charges that a request may have made in the store. */
function toPossibleCharges (decision: Decision, bucket: Bucket, outages: Outages): Charge[] {
  const limit = limitOf(bucket)
  const isSure = isCounted(decision) && !mayBeLocal(bucket.policy, decision, outages)
  if (limit.leaseUs !== undefined) {
    // With each granted check, an instance may lease all that is left.
    const { fromUs, untilUs } = withLateEnd(decision, outages)
    return isSure || mayBeCharged(decision, outages) ? [{ fromUs, untilUs: untilUs + limit.leaseUs, units: limit.burst }] : []
  }
  if (isSure) return [toCharge(decision)]
  return mayBeCharged(decision, outages) ? [withLateEnd(decision, outages)] : []
}

/** A call that was given up, or that no answer came to, may still charge: also one whose request the instance refused by itself. */
function mayBeCharged (decision: Decision, outages: Outages): boolean {
  return decision.status !== 429 || outages.awayUntilUs(decision.instance, decision) !== null
}

/** While the store is away, an instance may refuse because its own budget is used up. */
function createInstanceExcuses (bucket: Bucket, outages: Outages): Excuse {
  const excuses = new Map<number, Excuse>()
  return (refusal) => {
    const { instance } = refusal.decision
    let excuse = excuses.get(instance)
    if (excuse === undefined) {
      const own = bucket.decisions.filter((decision) => decision.instance === instance && isCounted(decision) && mayBeLocal(bucket.policy, decision, outages))
      excuse = createExcuse({ limit: limitOf(bucket), charges: own.map(toCharge), returned: [] })
      excuses.set(instance, excuse)
    }
    return excuse(refusal)
  }
}

/** Whether the refusal would be right if refused requests were charged too. */
function isChargedByRefusals (wrong: Decision, { policy, limitIndex, decisions }: Bucket, charges: readonly Charge[]): boolean {
  if (policy.limits.length === 1) return false
  const refused = decisions.filter(({ status, fromUs }) => status === 429 && fromUs < wrong.fromUs).map(toCharge)
  const refusal: Refusal = { ...wrong, decision: wrong }
  return createExcuse({ limit: policy.limits[limitIndex], charges: [...charges, ...refused], returned: [] })(refusal)
}
