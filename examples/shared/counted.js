/** Words in their order, equal ones in a row told once: `3 said, 1 refused`. @param {readonly string[]} words */
export function counted (words) {
  /** @type {Array<{ word: string, times: number }>} */
  const runs = []
  for (const word of words) {
    const last = runs.at(-1)
    if (last?.word === word) last.times++
    else runs.push({ word, times: 1 })
  }
  return runs.map(({ word, times }) => `${times} ${word}`).join(', ')
}
