/**
 * Compares the outcomes of the original's tests with the documented corrections. Returns a sentence for each difference: a
 * test fails that is not listed, or a listed test passes, fails with another result, or does not exist.
 */
export function compareOutcomes (outcomes, corrections) {
  const describe = ({ file, title }) => `${file}: ${title}`
  const listed = new Set(corrections.map(describe))
  const unlisted = outcomes.filter((outcome) => !outcome.hasPassed && !listed.has(describe(outcome)))
  return [
    ...unlisted.map((outcome) => `fails, and is no documented correction: ${describe(outcome)}\n  ${outcome.error}`),
    ...corrections.flatMap((correction) => {
      const outcome = outcomes.find((candidate) => describe(candidate) === describe(correction))
      if (outcome === undefined) return [`is listed as a correction, but does not exist: ${describe(correction)}`]
      if (outcome.hasPassed) return [`passes, but is listed as a correction: ${describe(correction)}`]
      if (outcome.error.includes(correction.found)) return []
      return [`fails with another result than "${correction.found}": ${describe(correction)}\n  ${outcome.error}`]
    })
  ]
}
