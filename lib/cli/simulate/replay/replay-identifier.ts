import type { FastifyRequest } from 'fastify'
import { isAddress, UNKNOWN, type AddressReader } from '../../../clients/address/address-reader.js'
import type { ClientIdentifier } from '../../../clients/identifier.js'
import { createKeyClient, createUserClient } from '../../../clients/partition.js'
import { ANONYMOUS, type Client } from '../../../model/client.js'
import { findEntry } from './replay-request.js'

/** What a hashed address begins with, as in the log lines of refusals: no address does. */
const HASHED_ADDRESS = 'ip#'

/** Identifies the clients of a log: the user or the key of a line, else its address. */
export class ReplayIdentifier implements ClientIdentifier {
  /** There is no function to wait for. */
  readonly deadlineMs = 1
  readonly #addresses: AddressReader
  readonly #defaultTier: string

  constructor (addresses: AddressReader, defaultTier: string) {
    this.#addresses = addresses
    this.#defaultTier = defaultTier
  }

  identify (request: FastifyRequest): Client {
    const { user, key, tier } = findEntry(request)?.given ?? {}
    if (typeof user === 'string') return createUserClient(user, tier ?? this.#defaultTier)
    return typeof key === 'string' ? createKeyClient(key) : this.identifyByAddress(request)
  }

  identifyByAddress ({ ip }: FastifyRequest): Client {
    if (!ip.startsWith(HASHED_ADDRESS)) return this.#addresses.toClient(ip)
    return { kind: 'ip', id: ip, tier: ANONYMOUS, partition: ip }
  }

  getAddress ({ ip }: FastifyRequest): string {
    return isAddress(ip) ? ip : UNKNOWN
  }
}
