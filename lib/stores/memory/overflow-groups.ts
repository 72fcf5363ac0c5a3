import { TextHasher } from './hash.js'

/** Groups of ids. An attacker cannot choose ids of one group, nor of another's, since the hash has a secret key. */
const ID_GROUPS = 1024

/** The first two numbers of an IPv4 address, its /16. */
const IPV4 = /^(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}$/
/** The first two groups of a canonical IPv6 address or subnet, its /32: an empty one begins a run of zeros. */
const IPV6 = /^([\da-f]{0,4}):([\da-f]{0,4}):/
const MAX_ADDRESS_LENGTH = 64

/** A group of partitions that share a bucket where each has no room for its own. */
export interface OverflowGroup {
  readonly name: string
  /** All partitions of one kind: where there is no room for the group either. */
  readonly widest: string
}

/** Finds the wider group of a partition, so that a flood of partitions from one network meets in one bucket. */
export class OverflowGroups {
  readonly #hasher: TextHasher

  constructor (key0: number, key1: number) {
    this.#hasher = new TextHasher(key0, key1)
  }

  find (partition: string): OverflowGroup {
    if (partition.length <= MAX_ADDRESS_LENGTH) {
      const ipv4 = IPV4.exec(partition)
      if (ipv4 !== null) return { name: `ipv4 ${ipv4[1]}`, widest: 'ipv4' }
      const ipv6 = IPV6.exec(partition)
      if (ipv6 !== null) return { name: `ipv6 ${ipv6[1] || '0'}:${ipv6[2] || '0'}`, widest: 'ipv6' }
    }
    const kind = partition.startsWith('user') ? 'user' : 'key'
    this.#hasher.hash(partition)
    return { name: `${kind} ${this.#hasher.word0 & (ID_GROUPS - 1)}`, widest: kind }
  }
}
