/*
 * Counts as short text. Each token is a whole number: 2 n for the next difference, n its zigzag form, or 2 n + 1 for n + 1
 * equal counts. A character has 5 bits of a token, the lowest first, and a sixth that another one follows. So quiet series
 * need a few characters, and steps whose counts differ by 8 or less one each.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const MORE = 32

/** Counts are cut here: more than a process can decide in a step. So a count needs 6 characters at most. */
export const MAX_COUNT = 2 ** 24

/** Encode whole numbers of 0 or more. Zeros at the end are left out. */
export function encodeCounts (counts: readonly number[]): string {
  let text = ''
  let previous = 0
  let equal = 0
  const last = counts.findLastIndex((count) => count > 0)
  for (let i = 0; i <= last; i++) {
    const count = Math.min(counts[i], MAX_COUNT)
    if (count === previous) {
      equal++
      continue
    }
    if (equal > 0) text += encodeToken(2 * (equal - 1) + 1)
    equal = 0
    const difference = count - previous
    text += encodeToken(2 * (difference < 0 ? -2 * difference - 1 : 2 * difference))
    previous = count
  }
  return equal > 0 ? text + encodeToken(2 * (equal - 1) + 1) : text
}

/** The counts of a text, `length` of them. Characters that are not of `encodeCounts` give other counts, and no error. */
export function decodeCounts (text: string, length: number): number[] {
  const counts: number[] = []
  let previous = 0
  let token = 0
  let factor = 1
  for (let i = 0; i < text.length && counts.length < length; i++) {
    const bits = Math.max(0, ALPHABET.indexOf(text[i]))
    token = Math.min(token + (bits % MORE) * factor, Number.MAX_SAFE_INTEGER)
    factor *= MORE
    if (bits >= MORE) continue
    const value = Math.floor(token / 2)
    if (token % 2 === 1) {
      for (let equal = 0; equal <= value && counts.length < length; equal++) counts.push(previous)
    } else {
      previous = Math.max(0, previous + (value % 2 === 1 ? -(value + 1) / 2 : value / 2))
      counts.push(previous)
    }
    token = 0
    factor = 1
  }
  while (counts.length < length) counts.push(0)
  return counts
}

function encodeToken (token: number): string {
  let text = ''
  let rest = token
  while (rest >= MORE) {
    text += ALPHABET[MORE + rest % MORE]
    rest = Math.floor(rest / MORE)
  }
  return text + ALPHABET[rest]
}
