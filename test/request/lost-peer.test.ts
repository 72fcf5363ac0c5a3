// Requests whose address is gone before it was read.
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { UNKNOWN } from '../../lib/clients/address/address-reader.js'
import { isLostPeerCharged, refuseLostPeer } from '../../lib/request/lost-peer.js'
import { ADDRESS } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const requestOf = (socket: object) => ({ raw: { socket } }) as FastifyRequest
const LOST = requestOf({ destroyed: true, remoteAddress: undefined })
const UNIX = requestOf({ destroyed: false, remoteAddress: undefined, localAddress: undefined })

const charge = (partition: string, mode: 'enforce' | 'shadow' = 'enforce') => ({ limit: limitOf({ mode }), partition, cost: 1 })

t.test('only a lost peer is charged to an address that cannot be known', async (t) => {
  t.equal(isLostPeerCharged([charge('user:42'), charge(UNKNOWN)], LOST), true)
  t.equal(isLostPeerCharged([charge(UNKNOWN)], UNIX), false)
  t.equal(isLostPeerCharged([charge('user:42'), charge('global')], LOST), false)
  t.equal(isLostPeerCharged([], LOST), false)
})

t.test('all limits refuse it, without an end', async (t) => {
  const [limit, partition] = [limitOf(), ADDRESS]
  t.strictSame(refuseLostPeer([{ limit, partition, cost: 3 }]), {
    granted: false,
    atUs: 0,
    standings: [{ limit, partition, charged: 0, granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 'never', blockedUs: 0 }],
    blocks: []
  })
  t.equal(refuseLostPeer([charge(UNKNOWN, 'shadow')]).granted, true)
  t.equal(refuseLostPeer([charge(UNKNOWN, 'shadow'), charge(UNKNOWN)]).granted, false)
})
