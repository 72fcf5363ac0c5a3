import { setTimeout as delay } from 'node:timers/promises'

/**
 * @typedef {object} Ask
 * @property {string} prompt
 * @property {number} maxTokens
 *
 * @typedef {{ text: string } | { usedTokens: number }} Part A piece of the answer, or at its end what all of it took.
 */

/** How much a text is in tokens, roughly. Four characters each is what one reckons with. @param {string} text */
export function estimateTokens (text) {
  return Math.ceil(text.length / 4)
}

/** What an answer takes when it is said to its end. @param {Ask} ask */
export function tokensOf ({ prompt, maxTokens }) {
  const thought = prompt.startsWith('think') ? maxTokens : 0
  return estimateTokens(prompt) + wordsOf({ prompt, maxTokens }).length + thought
}

/** @param {Ask} ask */
function wordsOf ({ prompt, maxTokens }) {
  return prompt.split(/\s+/).slice(0, maxTokens)
}

/**
 * A language model, as far as limits are concerned: it takes time, says a word at a time, and at the end how many tokens
 * it took. Asked to "think", it takes more than it was allowed to say.
 *
 * @param {Ask} ask
 * @returns {AsyncGenerator<Part>}
 */
export async function * complete (ask) {
  for (const word of wordsOf(ask)) {
    await delay(2)
    yield { text: `${word.toUpperCase()} ` }
  }
  yield { usedTokens: tokensOf(ask) }
}
