import type { FastifyRequest } from 'fastify'
import type { Client } from './clients/client.js'
import { GLOBAL_PARTITION } from './clients/partition.js'
import type { RequestPath } from './hook.js'
import { costOf } from './policies/cost.js'
import type { Policy } from './policies/policy.js'
import type { Charge, Limit, PartitionBy } from './stores/store.js'

/**
 * What a request takes from which buckets. `isPatient`: whether it may be held until its tokens are due.
 * Limits of users leave out whoever is none; where that would let a request pass unlimited, its address is charged.
 */
export function chargesOf (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client, isPatient: boolean): Charge[] {
  const cost = costOf(request, policy, path.faults)
  return policy.single !== null && !isPatient
    ? [{ limit: policy.single, partition: client.partition, cost }]
    : chargesOfAll(path, policy, request, client, isPatient, cost)
}

function chargesOfAll (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client, isPatient: boolean, cost: number): Charge[] {
  const { limits, patientLimits, makers } = policy
  const prepared = isPatient && patientLimits !== null ? patientLimits : limits
  const charges: Charge[] = []
  let isEnforced = false
  for (let i = 0; i < prepared.length; i++) {
    const partition = partitionOf(path, prepared[i].by, request, client)
    if (partition === null) continue
    if (prepared[i].mode === 'enforce') isEnforced = true
    charges.push({ limit: makers === null ? prepared[i] : made(path, policy, i, request, client, isPatient), partition, cost })
  }
  if (isEnforced || charges.length === limits.length) return charges
  return [...charges, ...chargesOfUserLimits(path, policy, request, client, isPatient, cost)]
}

function chargesOfUserLimits (path: RequestPath, policy: Policy, request: FastifyRequest, client: Client, isPatient: boolean, cost: number): Charge[] {
  const { partition } = path.identifier.byAddress(request)
  return policy.limits
    .map((limit, i) => ({ limit, i }))
    .filter(({ limit }) => limit.by === 'user')
    .map(({ i }) => ({ limit: made(path, policy, i, request, client, isPatient), partition, cost }))
}

/** One limit of a policy as it is for this request. */
function made (path: RequestPath, { limits, patientLimits, makers }: Policy, index: number, request: FastifyRequest, client: Client, isPatient: boolean): Limit {
  const maker = makers === null ? null : makers[index]
  if (maker === null) return isPatient && patientLimits !== null ? patientLimits[index] : limits[index]
  const { prompt, patient } = maker.limitFor(request, client, path.faults)
  return isPatient ? patient : prompt
}

/** `null` where a limit does not apply to the client. */
function partitionOf (path: RequestPath, by: PartitionBy, request: FastifyRequest, client: Client): string | null {
  switch (by) {
    case 'client': return client.partition
    case 'ip': return client.kind === 'ip' ? client.partition : path.identifier.byAddress(request).partition
    case 'user': return client.kind === 'user' ? client.partition : null
    case 'global': return GLOBAL_PARTITION
    default: return by satisfies never
  }
}
