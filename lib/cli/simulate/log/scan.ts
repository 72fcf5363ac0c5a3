/** Bytes of ASCII that formats have a meaning for. */
export const SPACE = 0x20
export const QUOTE = 0x22
export const HASH = 0x23
export const SLASH = 0x2f
export const QUESTION_MARK = 0x3f
export const OPENING_BRACKET = 0x5b
export const BACKSLASH = 0x5c
export const CLOSING_BRACKET = 0x5d
export const OPENING_BRACE = 0x7b

/** The position of the next byte of a value; -1 without one before `end`. A loop, because few bytes are passed. */
export function findByte (bytes: Buffer, byte: number, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    if (bytes[i] === byte) return i
  }
  return -1
}

/** Whether bytes at a position are those of a text of ASCII. */
export function hasText (bytes: Buffer, text: string, at: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false
  }
  return true
}

/** Apache writes a quote in a URL as `\"`, nginx as `\x22`. -1 if there is no closing quote. */
export function findClosingQuote (bytes: Buffer, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    if (bytes[i] === BACKSLASH) i++
    else if (bytes[i] === QUOTE) return i
  }
  return -1
}

/** The number of decimal digits; NaN if one of the bytes is no digit. */
export function parseDigits (bytes: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = bytes[i] - 48
    if (!(digit >= 0 && digit <= 9)) return NaN
    value = value * 10 + digit
  }
  return value
}

/** Three digits before `end`; `null` for anything else. Behind the end is the next line. */
export function parseStatus (bytes: Buffer, start: number, end: number): number | null {
  const status = start + 3 > end ? NaN : parseDigits(bytes, start, start + 3)
  return Number.isNaN(status) ? null : status
}
