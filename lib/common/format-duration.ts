const UNITS: ReadonlyArray<readonly [ms: number, name: string]> = [
  [86_400_000, 'day'], [3_600_000, 'hour'], [60_000, 'minute'], [1000, 'second'], [1, 'millisecond']
]

/** Format a duration in the largest unit that divides it, so that it is never rounded: 90,000 ms is "90 seconds". */
export function formatDuration (ms: number): string {
  for (const [unitMs, name] of UNITS) {
    if (ms % unitMs === 0) return `${ms / unitMs} ${name}${ms === unitMs ? '' : 's'}`
  }
  return `${ms} milliseconds`
}
