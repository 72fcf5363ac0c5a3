import type { Limit } from '../../../lib/stores/store.js'

/** A number in hex, of so many bytes. */
export const toHex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, '0')

/** A token bucket as Redis keeps it, in hex: see `bucket.lua`. */
export function packTokens ({ max, capacity, windowUs }: Limit, tatUs: number): string {
  return '54' + toHex(max, 4) + toHex(capacity, 4) + toHex(windowUs, 7) + toHex(tatUs, 7) + toHex(0, 4)
}

export interface Leases {
  readonly slotEndUs: number
  readonly gridUs: number
  readonly apart?: number
  readonly apartNext?: number
  readonly version?: number
}

/** Leases as they are kept before a token bucket. By default nothing is leased. */
export function packLeases ({ slotEndUs, gridUs, apart = 0, apartNext = 0, version = 1 }: Leases): string {
  return '55' + toHex(slotEndUs, 7) + '80'.padEnd(16, '0') + toHex(gridUs, 4) + toHex(version, 1) + toHex(apart, 3) + toHex(apartNext, 3)
}

/** Units above the capacity, kept before a bucket: 150 that drain in a minute. */
export function packOveruse (atUs: number): string {
  return '55' + toHex(atUs, 7) + '4062c00000000000' + toHex(100, 4) + toHex(60_000_000, 7)
}
