import { INSTANCE_BYTES, NUMBER_BYTES, writeNumber, type SlotCount } from './wire-format.js'

/** A report without a check. */
export interface KeptSlots extends SlotCount {
  readonly leaseMs: number
  /** Whether the entry of the process stays without slots: an earlier check may still arrive. */
  readonly isKept: boolean
}

/** The arguments of `report-slots.lua`. */
export function packSlotReports (instance: Buffer, reports: readonly KeptSlots[]): Buffer[] {
  const packed = Buffer.alloc(INSTANCE_BYTES + reports.length * (NUMBER_BYTES + 9))
  let at = instance.copy(packed)
  for (const { sequence, slots, leaseMs, isKept } of reports) {
    at = packed.writeUInt32BE(slots, writeNumber(packed, sequence, at))
    at = packed.writeUInt32BE(leaseMs, at)
    at = packed.writeUInt8(isKept ? 1 : 0, at)
  }
  return [Buffer.alloc(0), packed]
}
