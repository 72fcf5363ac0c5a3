import { isUnavailable, type Adjustment, type Answer, type Charge, type Receipt, type Standing } from '../store.js'

/** The part of a store that `takeAcrossSlots` needs. */
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
 * Take from several partitions on a Cluster, where they may be on different nodes. Each partition is charged separately.
 * Granted units are refunded if another partition refused or was unavailable.
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
  // Each node has its own clock, and identifies the charge of a refund by its own time of the charge.
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

/** A blocked request is charged nothing, not even by shadow limits. */
function createRefunds ({ atUs, standings }: Receipt, isBlocked: boolean): Adjustment[] {
  return standings
    .filter((standing) => standing.charged > 0 && (isBlocked || standing.limit.mode === 'enforce'))
    // Refund a delayed charge only at the end of the queue: otherwise a new request would be served together with the next one.
    .map((standing) => ({ standing, atUs, units: -standing.charged, ...(standing.delayUs > 0 ? { onlyIfLast: true as const } : {}) }))
}

/** The standing of a limit that granted, after its units were refunded because another limit refused. */
function refundStanding (standing: Standing): Standing {
  if (standing.limit.mode === 'shadow') return standing
  const { limit, charged, remaining, delayUs, usage } = standing
  // Delayed units had not used the capacity yet.
  const delayedUnits = Math.ceil(delayUs * (limit.max / limit.windowUs))
  return {
    ...standing,
    charged: 0,
    delayUs: 0,
    remaining: Math.min(limit.capacity, remaining + Math.max(0, charged - delayedUnits)),
    ...usage === undefined ? {} : { usage: { ...usage, units: Math.max(0, usage.units - charged) } }
  }
}
