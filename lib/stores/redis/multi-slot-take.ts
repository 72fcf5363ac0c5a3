import { isUnavailable, type Adjustment, type Answer, type Charge, type Receipt, type Standing } from '../store.js'

/** The parts of a store that a check in pieces needs. */
export interface SlotStore {
  /** Charge one partition. */
  take (charges: readonly Charge[]): Answer | Promise<Answer>
  adjust (adjustments: readonly Adjustment[]): Promise<void>
}

export function hasSeveralPartitions (charges: readonly Charge[]): boolean {
  for (let i = 1; i < charges.length; i++) {
    if (charges[i].partition !== charges[0].partition) return true
  }
  return false
}

/**
 * Take from several partitions on a Cluster, where they lie on different nodes: each is charged by itself, and what
 * was granted is given back where another refused or could not answer.
 */
export async function takeAcrossSlots (store: SlotStore, charges: readonly Charge[]): Promise<Answer> {
  const groups = new Map<string, Charge[]>()
  for (const charge of charges) groups.set(charge.partition, [...groups.get(charge.partition) ?? [], charge])
  const answers = await Promise.all(Array.from(groups.values(), (group) => store.take(group)))
  const failed = answers.find(isUnavailable)
  const receipts = answers.filter((answer): answer is Receipt => !isUnavailable(answer))
  const isGranted = failed === undefined && receipts.every((receipt) => receipt.granted)
  if (!isGranted) {
    const isBlocked = receipts.some(({ blocks }) => blocks.length > 0)
    await store.adjust(receipts.flatMap((receipt) => createRefunds(receipt, isBlocked)))
  }
  if (failed !== undefined) return failed
  // Each node has its own clock, and tells a charge that is given back by the time at which it made it.
  const standings = receipts.flatMap(({ atUs, standings }) => standings.map((standing) => ({ ...standing, atUs })))
  return {
    granted: isGranted,
    atUs: Math.max(...receipts.map((receipt) => receipt.atUs)),
    standings: charges.map((charge) => {
      const standing = standings.find(({ limit, partition }) => limit === charge.limit && partition === charge.partition)
      if (standing === undefined) throw new TypeError('a charge without a standing')
      return isGranted ? standing : refundStanding(standing)
    }),
    blocks: receipts.flatMap((receipt) => receipt.blocks)
  }
}

/** A request that is blocked is charged nothing, by limits on trial neither. */
function createRefunds ({ atUs, standings }: Receipt, isBlocked: boolean): Adjustment[] {
  return standings
    .filter((standing) => standing.charged > 0 && (isBlocked || standing.limit.mode === 'enforce'))
    // From within a line nothing returns: a newcomer would be served beside the next one.
    .map((standing) => ({ standing, atUs, units: -standing.charged, ...(standing.delayUs > 0 ? { onlyIfLast: true as const } : {}) }))
}

/** A limit that granted, as it stands once its units were given back because another refused. */
function refundStanding (standing: Standing): Standing {
  if (standing.charged === 0 || standing.limit.mode === 'shadow') return standing
  const { limit, charged, remaining, delayUs } = standing
  // Units that waited were none of the capacity yet.
  const delayedUnits = Math.ceil(delayUs * (limit.max / limit.windowUs))
  return { ...standing, charged: 0, delayUs: 0, remaining: Math.min(limit.capacity, remaining + Math.max(0, charged - delayedUnits)) }
}
