import type { FastifyRequest } from 'fastify'
import { UNKNOWN } from '../clients/address/address-reader.js'
import { findPeer } from '../clients/address/peer.js'
import { NO_BLOCKS, type Charge, type Receipt } from '../stores/store.js'

/*
 * A client may reset its connection before the address can be read. Its requests have no partition of their own; a shared
 * one would be a second budget for every client that does so.
 */

/** Whether a request would be charged to an address that cannot be known any more. */
export function isLostPeerCharged (charges: readonly Charge[], request: FastifyRequest): boolean {
  for (let i = 0; i < charges.length; i++) {
    if (charges[i].partition === UNKNOWN) return findPeer(request) === null
  }
  return false
}

/** Refuse all limits. The store is not asked, and no answer reaches the client. */
export function refuseLostPeer (charges: readonly Charge[]): Receipt {
  return {
    granted: charges.every(({ limit }) => limit.mode === 'shadow'),
    atUs: 0,
    standings: charges.map(({ limit, partition }) => (
      { limit, partition, charged: 0, granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 'never', blockedUs: 0 }
    )),
    blocks: NO_BLOCKS
  }
}
