/** Linear between the two nearest ranks. */
export function quantile (values, share) {
  const sorted = Float64Array.from(values).sort()
  const rank = (sorted.length - 1) * share
  const below = Math.floor(rank)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (rank - below)
}

/** The median with the quartiles and extremes around it. */
export function spread (values) {
  return {
    median: quantile(values, 0.5),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    min: Math.min(...values),
    max: Math.max(...values)
  }
}

/**
 * Compare two contestants round by round. What slows a whole round down (another program, a cooler clock) is in both
 * values of it, so the median of the pairs is steadier than a comparison of two medians.
 */
export function paired (values, references, compare) {
  return spread(values.map((value, round) => compare(value, references[round])))
}

/** The list in the order of a round: everybody goes first equally often. */
export function rotated (list, round) {
  const start = round % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}
