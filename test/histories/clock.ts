/** Microseconds by the monotonic clock that all processes of a machine share. */
export function machineUs (): number {
  return Number(process.hrtime.bigint()) / 1000
}
