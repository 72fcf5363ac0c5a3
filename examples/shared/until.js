import { setTimeout as delay } from 'node:timers/promises'

/**
 * Ask again and again until the answer is neither `null` nor false, and answer it. Fails once the time is over.
 *
 * @template T
 * @param {string} what
 * @param {number} withinMs
 * @param {() => T | null | false | Promise<T | null | false>} ask
 * @returns {Promise<T>}
 */
export async function until (what, withinMs, ask) {
  const endMs = performance.now() + withinMs
  let last
  do {
    try {
      const answer = await ask()
      if (answer !== null && answer !== false) return answer
    } catch (error) {
      last = error
    }
    await delay(20)
  } while (performance.now() < endMs)
  throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last })
}
