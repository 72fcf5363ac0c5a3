import type { Adjustment } from '../store.js'
import { NUMBER_BYTES, packLimit, writeNumber } from './wire-format.js'

/** Bytes of one adjustment. */
const ADJUSTMENT_BYTES = 2 + 1 + 3 * NUMBER_BYTES

/** The arguments of `adjust.lua`. `nowUs`: see `packLimit`. */
export function packAdjustments (adjustments: readonly Adjustment[], nowUs = 0): Buffer[] {
  const limits = [...new Set(adjustments.map(({ standing }) => standing.limit))]
  const packed = Buffer.alloc(adjustments.length * ADJUSTMENT_BYTES)
  let at = 0
  for (const { standing, atUs, units, onlyIfLast } of adjustments) {
    at = packed.writeUInt16BE(limits.indexOf(standing.limit) + 1, at)
    at = packed.writeUInt8(units >= 0 ? 0 : onlyIfLast ? 2 : 1, at)
    for (const number of [Math.abs(units), atUs, standing.resetUs]) at = writeNumber(packed, number, at)
  }
  return [Buffer.concat(limits.map((limit) => packLimit(limit, nowUs))), packed]
}
