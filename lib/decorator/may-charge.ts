import { GLOBAL_PARTITION } from '../clients/partition.js'
import type { Limit } from '../stores/store.js'

/** Whether a limit can have a bucket for a partition at all. */
export function mayCharge ({ by }: Limit, partition: string): boolean {
  switch (by) {
    case 'global': return partition === GLOBAL_PARTITION
    // Limits by user charge the address of unidentified clients, so they are included.
    case 'ip': return partition !== GLOBAL_PARTITION && !/^(?:key|user)[:#]/.test(partition)
    case 'user': return partition !== GLOBAL_PARTITION && !/^key[:#]/.test(partition)
    case 'client': return partition !== GLOBAL_PARTITION
    default: return by satisfies never
  }
}
