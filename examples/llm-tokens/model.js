import { setTimeout as delay } from 'node:timers/promises'

/**
 * @typedef {object} Ask
 * @property {string} prompt
 * @property {number} maxTokens
 *
 * @typedef {object} Usage What an answer takes, in tokens.
 * @property {number} input
 * @property {number} cached Input that the model has read before: the system prompt, which is the same for every request.
 * @property {number} output
 *
 * @typedef {{ text: string } | { usage: Usage }} Part A piece of the answer, or at its end what all of it took.
 */

/** Tokens of the system prompt. */
export const SYSTEM_TOKENS = 200

/** The tokens of a text, roughly: one for four characters. @param {string} text */
export function estimateTokens (text) {
  return Math.ceil(text.length / 4)
}

/** What an answer takes that is read to its end. @param {Ask} ask @returns {Usage} */
export function usageOf ({ prompt, maxTokens }) {
  const thought = prompt.startsWith('think') ? maxTokens : 0
  return { input: estimateTokens(prompt), cached: SYSTEM_TOKENS, output: wordsOf({ prompt, maxTokens }).length + thought }
}

/** @param {Ask} ask */
function wordsOf ({ prompt, maxTokens }) {
  return prompt.split(/\s+/).slice(0, maxTokens)
}

/**
 * A language model, as far as limits are concerned: it takes time, writes a word at a time, and states at the end how many
 * tokens it took. With a prompt that begins with "think", it takes more than it was allowed to write; with "fail", it fails
 * after ten words.
 *
 * @param {Ask} ask
 * @returns {AsyncGenerator<Part>}
 */
export async function * complete (ask) {
  for (const [index, word] of wordsOf(ask).entries()) {
    if (index === 10 && ask.prompt.startsWith('fail')) throw new Error('the model failed')
    await delay(2)
    yield { text: `${word.toUpperCase()} ` }
  }
  yield { usage: usageOf(ask) }
}
